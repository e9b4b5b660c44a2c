//! Syncline: policies for the movement of business data.
//!
//! A policy says which system owns each field, how fresh it has to be and how each scenario syncs.
//! This crate reads policies, checks them, compiles them to plans and runs the plans. The layers
//! and what each may know are drawn in `docs/architecture.md`; `tests/architecture.rs` holds them.
#![forbid(unsafe_code)]

pub mod failpoint;
pub mod terms;
pub mod text;
pub mod time;
pub mod value;

pub mod expr;
pub mod finding;

pub mod catalog;
pub mod syntax;

pub mod model;

pub mod graph;

pub mod arithmetic;
pub mod choice;

pub mod checks;

pub mod plan;
pub mod workspace;

pub mod engine;
pub mod estimate;
pub mod optimize;

pub mod diff;

pub mod connector;
pub mod overview;
pub mod store;

pub mod host;
pub mod render;
pub mod sim;

pub mod cli;
