//! Who there is: people with the systems that know them, companies, workspaces.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{COMPANY_FORMS, COMPANY_HEADS, COMPANY_TAILS, INDUSTRIES, REGIONS};
use super::random::Random;

/// Seconds of 2026-10-01T00:00:00Z since 1970.
const OCTOBER: i64 = 1_790_812_800;
/// Seconds of 2025-06-01T00:00:00Z since 1970: the day of the old import.
const OLD_IMPORT: i64 = 1_748_736_000;
/// Seconds in a day.
const DAY: i64 = 86_400;

/// A company.
pub struct Company {
    /// Its web domain.
    pub domain: String,
    /// Its name.
    pub name: String,
    /// What it does.
    pub industry: &'static str,
    /// Its workspace in the product, where it has one.
    pub workspace: Option<String>,
}

/// Why a person's row is of no use: such people stand in one system only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The address is none.
    Address,
    /// There is no address.
    NoAddress,
    /// A status that nobody knows.
    Status,
    /// A time that is none.
    Time,
    /// A name longer than the field.
    Name,
}

/// A person.
pub struct Person {
    /// The address in lower case, unless there is a flaw in it.
    pub email: String,
    /// Given name in the person's own script.
    pub first: &'static str,
    /// Family name.
    pub last: &'static str,
    /// Position of the company.
    pub company: usize,
    /// Country code.
    pub country: &'static str,
    /// How far they are as a lead, from 0 (new) to 4 (lost).
    pub status: usize,
    /// Whether the CRM has them.
    pub in_crm: bool,
    /// Whether the mail platform has them.
    pub in_mailer: bool,
    /// Whether they use the product.
    pub in_product: bool,
    /// What is wrong with their only row.
    pub flaw: Option<Flaw>,
    taken: BTreeSet<i64>,
}

/// Everybody and everything.
pub struct World {
    /// People in no order that means anything.
    pub people: Vec<Person>,
    /// Companies.
    pub companies: Vec<Company>,
}

impl Person {
    /// An instant of October 2026 at which nothing else happens to this person, seconds.
    pub fn moment(&mut self, random: &mut Random) -> i64 {
        self.free(OCTOBER, 28 * DAY, random)
    }

    /// As [`Person::moment`], in the month of the old import.
    pub fn old_moment(&mut self, random: &mut Random) -> i64 {
        self.free(OLD_IMPORT, 28 * DAY, random)
    }

    fn free(&mut self, start: i64, length: i64, random: &mut Random) -> i64 {
        loop {
            let at = start + random.within(0, length - 1);
            if self.taken.insert(at) {
                return at;
            }
        }
    }

    /// The address as somebody typed it.
    pub fn typed(&self, random: &mut Random) -> String {
        let email = &self.email;
        match random.below(12) {
            0 => email.to_uppercase(),
            1 => {
                let mut letters = email.chars();
                let first = letters.next().map(|c| c.to_ascii_uppercase());
                first.into_iter().chain(letters).collect()
            }
            2 => format!(" {email}"),
            3 => format!("{email} "),
            _ => email.clone(),
        }
    }

    /// Whether feeds and exports may name this person.
    pub fn sound(&self) -> bool {
        self.flaw.is_none()
    }
}

/// Makes everybody.
pub fn world(contacts: usize, random: &mut Random) -> World {
    let companies = companies((contacts / 6).max(3), random);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let people = (0..contacts)
        .map(|n| person(n, &companies, &mut seen, random))
        .collect();
    World { people, companies }
}

fn companies(count: usize, random: &mut Random) -> Vec<Company> {
    (0..count)
        .map(|n| {
            let head = COMPANY_HEADS[n % COMPANY_HEADS.len()];
            let tail = COMPANY_TAILS[(n / COMPANY_HEADS.len()) % COMPANY_TAILS.len()];
            let round = n / (COMPANY_HEADS.len() * COMPANY_TAILS.len());
            let number = if round == 0 {
                String::new()
            } else {
                format!("{round}")
            };
            let form = random.pick(COMPANY_FORMS);
            Company {
                domain: format!("{}{tail}{number}.example", head.to_lowercase()),
                name: format!("{head}{tail}{number} {form}"),
                industry: random.pick(INDUSTRIES),
                workspace: random.permille(350).then(|| format!("ws_{n:05}")),
            }
        })
        .collect()
}

fn person(
    n: usize,
    companies: &[Company],
    seen: &mut BTreeMap<String, usize>,
    random: &mut Random,
) -> Person {
    // Half of the people come from the first two regions.
    let region = match random.below(2) {
        0 => &REGIONS[random.below(2)],
        _ => &REGIONS[random.below(REGIONS.len())],
    };
    let (first, first_ascii) = random.pick(region.first);
    let (last, last_ascii) = random.pick(region.last);
    let company = random.below(companies.len());
    let plain = format!("{first_ascii}.{last_ascii}");
    let count = seen.entry(format!("{plain}@{company}")).or_default();
    *count += 1;
    let number = if *count == 1 {
        String::new()
    } else {
        count.to_string()
    };
    let mut email = format!("{plain}{number}@{}", companies[company].domain);
    let flaw = flaw(random);
    match flaw {
        Some(Flaw::Address) => {
            email = match random.below(3) {
                0 => format!("{plain}{number}.{n}"),
                1 => format!("{plain}{number}{n}@@{}", companies[company].domain),
                _ => format!("{plain} {number}{n}@{}", companies[company].domain),
            }
        }
        // Nobody else may have it: the row is all that there is of this person.
        Some(_) => email = format!("{plain}{number}.{n}@flawed.example"),
        None => {}
    }
    let in_crm = flaw.is_some() || random.permille(900);
    let sound = flaw.is_none();
    Person {
        email,
        first,
        last,
        company,
        country: random.pick(region.countries),
        status: random.below(5),
        in_crm,
        in_mailer: sound && random.permille(if in_crm { 800 } else { 450 }),
        in_product: sound && companies[company].workspace.is_some() && random.permille(600),
        flaw,
        taken: BTreeSet::new(),
    }
}

fn flaw(random: &mut Random) -> Option<Flaw> {
    match random.below(1_000) {
        0..=7 => Some(Flaw::Address),
        8..=9 => Some(Flaw::NoAddress),
        10..=11 => Some(Flaw::Status),
        12 => Some(Flaw::Time),
        13 => Some(Flaw::Name),
        _ => None,
    }
}

/// An instant as the feeds write it.
pub fn iso(seconds: i64) -> String {
    stamp(seconds, "%Y-%m-%dT%H:%M:%SZ")
}

/// An instant as the CRM writes it.
pub fn sql_time(seconds: i64) -> String {
    stamp(seconds, "%Y-%m-%d %H:%M:%S")
}

fn stamp(seconds: i64, format: &str) -> String {
    chrono::DateTime::<chrono::Utc>::from_timestamp(seconds, 0)
        .map(|t| t.format(format).to_string())
        .unwrap_or_default()
}
