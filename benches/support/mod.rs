//! Generated policies for the benchmarks.

#![allow(dead_code)]

pub mod peers;

use std::fmt::Write;

/// A policy of `entities` × 20 fields over `systems` systems with two scenarios an entity; every
/// entity is mapped in three systems, so about 60 mapped fields an entity.
pub fn policy(entities: usize, systems: usize) -> String {
    policy_of(entities, systems, 20)
}

/// The same with another number of fields an entity, its key counted.
pub fn policy_of(entities: usize, systems: usize, fields: usize) -> String {
    let mut out = String::from("policy generated {\n  timezone \"UTC\"\n  currency USD\n}\n\n");
    for s in 0..systems {
        let _ = write!(
            out,
            "system sys_{s} {{\n  connector sqlite\n  option path = \"data/sys_{s}.db\"\n  cleared pii, consent\n}}\n\n"
        );
    }
    for e in 0..entities {
        let (a, b, c) = (e % systems, (e + 1) % systems, (e + 2) % systems);
        let _ = write!(
            out,
            "/// Records of kind {e}.\nentity ent_{e} {{\n  key id\n  volume 250_000 records, 6_000/day changes, peak 8x\n  owner sys_{a}\n  accepts none\n\n  field id: text(36)\n"
        );
        for f in 1..fields {
            let ty = [
                "text(80)?",
                "int(0..100)?",
                "bool",
                "enum(new, working, won, lost)",
                "datetime?",
            ][f % 5];
            let _ = writeln!(out, "  field field_{f}: {ty} fresh 2h in sys_{b}");
        }
        out.push_str("}\n\n");
        for s in [a, b, c] {
            let _ = write!(
                out,
                "map ent_{e} in sys_{s} \"table_{e}\" {{\n  key id = \"Id\"\n"
            );
            for f in 1..fields {
                match f % 5 {
                    3 => {
                        let _ = writeln!(
                            out,
                            "  field field_{f} = \"Field_{f}__c\" values {{ new = \"New\", working = \"Working\", won = \"Won\", lost = \"Lost\" }}"
                        );
                    }
                    _ => {
                        let _ = writeln!(out, "  field field_{f} = \"Field_{f}__c\"");
                    }
                }
            }
            out.push_str("  cursor \"updated_at\"\n  changed_at \"updated_at\"\n}\n\n");
        }
        let _ = write!(
            out,
            "scenario near_{e} \"Near {e}\" {{\n  sync ent_{e}(*) from sys_{a} to sys_{b} if `ent_{e}.field_5 != \"x\"`\n  mode every 15m\n  fresh 30m\n  stale late_followup\n}}\n\n\
             scenario nightly_{e} {{\n  sync ent_{e}(*) from sys_{a} to sys_{c}\n  mode daily at 02:00\n  window 01:00..05:00\n  stale reporting\n}}\n\n"
        );
    }
    out
}
