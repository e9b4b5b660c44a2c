//! What people, companies and topics are called. Names come in the script that their bearers
//! write, beside the letters that they use in an e-mail address.

/// A name as written and as typed into an address.
pub type Name = (&'static str, &'static str);

/// Given names and family names that go together, with the countries where they live.
pub struct Region {
    /// Given names.
    pub first: &'static [Name],
    /// Family names.
    pub last: &'static [Name],
    /// ISO 3166 codes.
    pub countries: &'static [&'static str],
}

/// The regions; the first ones have more people.
pub const REGIONS: &[Region] = &[
    Region {
        first: &[
            ("Anna", "anna"),
            ("James", "james"),
            ("Olivia", "olivia"),
            ("Noah", "noah"),
            ("Grace", "grace"),
            ("Liam", "liam"),
            ("Emma", "emma"),
            ("Mary Ann", "maryann"),
        ],
        last: &[
            ("Smith", "smith"),
            ("O'Connor", "oconnor"),
            ("Taylor-Reed", "taylor-reed"),
            ("Baker", "baker"),
            ("Hughes", "hughes"),
            ("van Dyke", "vandyke"),
            ("Price", "price"),
        ],
        countries: &["US", "GB", "IE", "AU"],
    },
    Region {
        first: &[
            ("Jürgen", "juergen"),
            ("Zoë", "zoe"),
            ("Léa", "lea"),
            ("Søren", "soren"),
            ("Łukasz", "lukasz"),
            ("Žofie", "zofie"),
            ("José", "jose"),
            ("Íñigo", "inigo"),
            ("Gülşen", "gulsen"),
            ("Ångström", "angstrom"),
        ],
        last: &[
            ("Müller", "mueller"),
            ("Lefèvre", "lefevre"),
            ("Ødegård", "odegard"),
            ("Wiśniewska", "wisniewska"),
            ("Dvořák", "dvorak"),
            ("Núñez", "nunez"),
            ("Groß", "gross"),
            ("Öztürk", "ozturk"),
            ("D’Angelo", "dangelo"),
        ],
        countries: &["DE", "FR", "DK", "PL", "CZ", "ES", "TR"],
    },
    Region {
        first: &[
            ("Анна", "anna"),
            ("Дмитрий", "dmitri"),
            ("Олена", "olena"),
            ("Сергій", "serhii"),
            ("Ивана", "ivana"),
        ],
        last: &[
            ("Шевченко", "shevchenko"),
            ("Иванова", "ivanova"),
            ("Петренко", "petrenko"),
            ("Николић", "nikolic"),
        ],
        countries: &["UA", "BG", "RS", "KZ"],
    },
    Region {
        first: &[
            ("Ελένη", "eleni"),
            ("Γιώργος", "giorgos"),
            ("Σοφία", "sofia"),
        ],
        last: &[("Παπαδόπουλος", "papadopoulos"), ("Νικολάου", "nikolaou")],
        countries: &["GR", "CY"],
    },
    Region {
        first: &[
            ("محمد", "mohammed"),
            ("فاطمة", "fatima"),
            ("ليلى", "layla"),
            ("يوسف", "yusuf"),
        ],
        last: &[
            ("الأحمد", "alahmad"),
            ("حداد", "haddad"),
            ("منصور", "mansour"),
        ],
        countries: &["AE", "EG", "JO", "MA"],
    },
    Region {
        first: &[("נועה", "noa"), ("דוד", "david"), ("תמר", "tamar")],
        last: &[("כהן", "cohen"), ("לוי", "levi"), ("בן־דוד", "bendavid")],
        countries: &["IL"],
    },
    Region {
        first: &[
            ("伟", "wei"),
            ("芳", "fang"),
            ("静怡", "jingyi"),
            ("志強", "zhiqiang"),
        ],
        last: &[
            ("王", "wang"),
            ("李", "li"),
            ("歐陽", "ouyang"),
            ("張", "zhang"),
        ],
        countries: &["CN", "TW", "SG"],
    },
    Region {
        first: &[
            ("さくら", "sakura"),
            ("ハルト", "haruto"),
            ("美咲", "misaki"),
        ],
        last: &[("佐藤", "sato"), ("タナカ", "tanaka"), ("渡邉", "watanabe")],
        countries: &["JP"],
    },
    Region {
        first: &[("민준", "minjun"), ("서연", "seoyeon"), ("지우", "jiwoo")],
        last: &[("김", "kim"), ("이", "lee"), ("박", "park")],
        countries: &["KR"],
    },
    Region {
        first: &[("आरव", "aarav"), ("प्रिया", "priya"), ("दीपक", "deepak")],
        last: &[
            ("शर्मा", "sharma"),
            ("पटेल", "patel"),
            ("श्रीवास्तव", "srivastava"),
        ],
        countries: &["IN", "NP"],
    },
];

/// First words of companies.
pub const COMPANY_HEADS: &[&str] = &[
    "Bright", "Blue", "Iron", "North", "Quiet", "Red", "Silver", "Swift", "True", "Vast", "Alder",
    "Birch", "Copper", "Delta", "Ember", "Fjord", "Granite", "Harbour", "Indigo", "Juniper",
];

/// Second words of companies.
pub const COMPANY_TAILS: &[&str] = &[
    "forge", "field", "works", "gate", "line", "bridge", "stone", "wave", "path", "mill", "yard",
    "loop", "peak", "port", "dale", "crest", "hollow", "spring", "light", "root",
];

/// Legal forms.
pub const COMPANY_FORMS: &[&str] = &[
    "GmbH",
    "Ltd",
    "Inc.",
    "S.A.",
    "B.V.",
    "AG",
    "株式会社",
    "ООО",
];

/// What companies do.
pub const INDUSTRIES: &[&str] = &[
    "Manufacturing",
    "Logistics",
    "Software",
    "Retail",
    "Energy",
    "Health care",
    "Finance",
    "Education",
];

/// What people read about.
pub const TOPICS: &[&str] = &[
    "api",
    "pricing",
    "security",
    "migration",
    "analytics",
    "automation",
    "compliance",
    "roadmap",
];

/// Where people come from.
pub const CAMPAIGNS: &[&str] = &[
    "autumn-fair",
    "search",
    "partner-mail",
    "podcast",
    "paper-security",
    "paper-migration",
];

/// Webinars.
pub const WEBINARS: &[&str] = &[
    "webinar-consent",
    "webinar-forecasts",
    "webinar-integrations",
];
