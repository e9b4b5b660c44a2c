//! What one run by the clock may be shown and may have to do at most.

use super::calls::Calls;
use super::demand::Demand;
use super::facts::SystemFacts;
use super::formula::{
    DAY_SECONDS, busiest_stretch, distinct, fewest_records, full_read_calls, most_records,
};
use super::load::{Counting, Ends, HopLoad};
use super::relays::Found;

impl Counting<'_> {
    /// The share of all records that a run is shown so many days after the last; none where it is
    /// not known how many there are.
    pub(super) fn shown(&self, demand: &Demand, days: f64) -> f64 {
        let records = demand.records.as_ref().map(|n| n.value);
        self.share_of_all(demand, distinct(records, demand.met_per_day(), days))
    }

    /// The share of all records that so many are, for a run that is shown them.
    pub(super) fn share_of_all(&self, demand: &Demand, met: f64) -> f64 {
        if self.scenario.scans_full() {
            return 1.0;
        }
        match demand.records.as_ref().map(|n| n.value) {
            Some(records) if records > 0.0 => (met / records).min(1.0),
            _ => 0.0,
        }
    }

    /// Calls of a start that finds as many records as one may, retries on the mean.
    pub(super) fn at_most(
        &self,
        load: &HopLoad,
        source: &SystemFacts,
        target: &SystemFacts,
        days: f64,
    ) -> Ends {
        let demand = &load.demand;
        let records = demand.records.as_ref().map(|n| n.value);
        let carried = demand.carried_per_day();
        let busier = busiest_stretch(demand.peak.value, days * DAY_SECONDS);
        let most = |per_day: f64| distinct(records, per_day * busier, days);
        let usual = distinct(records, carried, days);
        let met = most(demand.met_per_day());
        self.most_of(load, source, target, (usual, most(carried), met))
    }

    /// The same for a start that finds what other runs have brought.
    pub(super) fn most_found(
        &self,
        load: &HopLoad,
        source: &SystemFacts,
        target: &SystemFacts,
        found: Found,
    ) -> Ends {
        let busier = busiest_stretch(load.demand.peak.value, found.made_in);
        let all = load.demand.records.as_ref();
        let all = all.map_or(f64::INFINITY, |n| n.value);
        let most = |mean: f64| (mean * busier).min(all);
        let carried = most(found.carried);
        self.most_of(
            load,
            source,
            target,
            (found.carried, carried, most(found.met)),
        )
    }

    /// Calls of a start that carries so many records on the mean, and so many as a busy time makes,
    /// and that meets so many then.
    fn most_of(
        &self,
        load: &HopLoad,
        source: &SystemFacts,
        target: &SystemFacts,
        (usual, carried, met): (f64, f64, f64),
    ) -> Ends {
        let demand = &load.demand;
        let records = demand.records.as_ref().map(|n| n.value);
        let most = |mean: f64| most_records(mean).min(records.unwrap_or(f64::INFINITY));
        let page = source.read_page.value;
        let reads = match (self.scenario.scans_full(), records) {
            (true, Some(all)) => full_read_calls(all, page),
            _ => full_read_calls(most(met), page),
        };
        let passes = demand.events_share() * demand.records_share();
        let writes = self.writes_at_most(target, (usual * passes, most(carried * passes)));
        let reads = Calls::reads(reads * source.attempts() / self.share());
        Ends::of(load, reads, writes)
    }

    /// Calls that write so many records at most, where there are so many on the mean.
    fn writes_at_most(&self, target: &SystemFacts, (mean, most): (f64, f64)) -> Calls {
        let batch = self.batch(target);
        let batches = |records: f64| {
            let calls = full_read_calls(records, batch) * target.calls_per_write;
            Calls::writes(calls * target.attempts())
        };
        let bulk = target.bulk.as_ref();
        let bulk = bulk.filter(|_| self.scenario.batch.is_none());
        let Some(bulk) = bulk.filter(|b| most > b.from_records.value) else {
            return batches(most);
        };
        let uploads = full_read_calls(most, Some(bulk.records.value));
        let job = Calls {
            bulk: (uploads + bulk.fixed_calls.value) * target.attempts(),
            ..Calls::NONE
        };
        // A run that falls just short of a job takes more calls than the job.
        let short = batches(bulk.from_records.value);
        match fewest_records(mean) <= bulk.from_records.value && short.total() > job.total() {
            true => short,
            false => job,
        }
    }
}
