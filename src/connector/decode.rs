//! Events into the policy's terms, for the engine: by the map of each entity that the sender maps.

use std::collections::BTreeMap;

use super::codec::Binding;
use super::event::Event;
use crate::engine::ports::{Decoded, Decoder, Failure, MapIx, StoredEvent};
use crate::plan::Plan;

/// The bindings of every map, by the name of their system.
pub struct Events {
    bindings: BTreeMap<String, Vec<(MapIx, Binding)>>,
}

impl Events {
    /// Reads the events of every system of a plan; an error where a map cannot be bound.
    pub fn new(plan: &Plan) -> Result<Self, Failure> {
        let mut bindings: BTreeMap<String, Vec<(MapIx, Binding)>> = BTreeMap::new();
        for (i, map) in plan.maps.iter().enumerate() {
            let binding = Binding::compile(plan, i as MapIx)?;
            bindings
                .entry(map.system.clone())
                .or_default()
                .push((i as MapIx, binding));
        }
        Ok(Events { bindings })
    }
}

impl Decoder for Events {
    fn decode(&self, event: &StoredEvent) -> Result<Decoded, String> {
        let parsed = Event::parse(&event.system, &event.body)?;
        let bindings = self
            .bindings
            .get(&event.system)
            .map_or(&[][..], Vec::as_slice);
        let rows = bindings
            .iter()
            .filter(|(_, binding)| {
                let object = parsed.object.as_deref();
                object.is_none_or(|object| object == binding.object())
            })
            .map(|(map, binding)| (*map, parsed.row(binding)))
            .collect();
        Ok(Decoded {
            name: parsed.name,
            own: parsed.own,
            changed: parsed.changed,
            payload: parsed.payload,
            rows,
        })
    }
}
