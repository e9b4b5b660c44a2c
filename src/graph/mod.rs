//! Graphs of a policy: what flows where, what is derived from what, which scenario waits for which.
//!
//! Rank 4. Built once for each policy on petgraph graphs and asked by every check, estimate and
//! picture. May use `model` and below. Answers in systems, fields, scenarios and hops; says nothing
//! about whether an answer is good, and must not know findings, arithmetic or plans.
//!
//! * [`Flows`]: for each field the systems it passes, an edge for each hop that carries it. Fields
//!   that travel by the very same hops share one graph, so that a wide `sync` costs one.
//! * [`Reads`]: what the expressions of a hop read. It counts as carried but makes no edge.
//! * [`Derivations`]: a derived field depends on the fields that its expression reads.
//! * [`Order`]: a scenario depends on those that its `after` names.

mod derivation;
mod flow;
mod order;
mod reads;
mod search;

pub use derivation::Derivations;
pub use flow::{Edge, Flow, Flows, HopId};
pub use order::Order;
pub use reads::{Read, ReadBy, Reader, Reads};

use crate::model::Policy;

/// Every graph of one policy.
#[derive(Debug)]
pub struct Graph {
    /// Which way each field goes.
    pub flows: Flows,
    /// What expressions read.
    pub reads: Reads,
    /// What derived fields are computed from.
    pub derivations: Derivations,
    /// Which scenario waits for which.
    pub order: Order,
}

impl Graph {
    /// Draws the graphs of a policy.
    pub fn build(policy: &Policy) -> Graph {
        let derivations = Derivations::build(policy);
        Graph {
            flows: Flows::build(policy),
            reads: Reads::build(policy, &derivations),
            derivations,
            order: Order::build(policy),
        }
    }
}
