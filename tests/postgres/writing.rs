//! Upserts, deletions, refused records, types there and back.

use crate::desk::{ANY_TEXT, Desk, text};
use crate::server::Database;
use syncline::engine::cause::cause;
use syncline::engine::ports::Write;
use syncline::value::{Type, Value};

const MAP: &str = "same_names";

const TABLE: &str = "CREATE TABLE contacts (email text PRIMARY KEY, age smallint, \
    balance numeric(12,2), born date, doc jsonb, name varchar(60), opted_out boolean, \
    seen timestamptz, status text, tags text[])";

fn empty() -> (Database, Desk) {
    let database = Database::new();
    database.run(TABLE);
    let desk = Desk::open(MAP, &database.url());
    (database, desk)
}

fn value(ty: &Type, text: &str) -> Value {
    ty.read_text(text).unwrap()
}

fn every_type(desk: &Desk) -> Vec<(&'static str, Value)> {
    let entity = &desk.plan.entities[0];
    let ty = |name: &str| {
        entity
            .fields
            .iter()
            .find(|f| f.name == name)
            .unwrap()
            .ty
            .clone()
    };
    [
        ("age", "150"),
        ("balance", "-9999999999.99"),
        ("born", "1899-12-31"),
        (
            "doc",
            r#"{"a": [1, 2.5, null, "x\"y\\"], "b": {"c": true}}"#,
        ),
        ("opted_out", "true"),
        ("seen", "2026-03-29T01:59:59.123456Z"),
        ("status", "lost"),
    ]
    .map(|(name, text)| (name, value(&ty(name), text)))
    .into_iter()
    .chain([
        ("name", text(ANY_TEXT)),
        (
            "tags",
            ty("tags")
                .read_json(&serde_json::json!([
                    "a\"b", "c\\d", "", "NULL", "e,f", "{g}", "漢\t\n"
                ]))
                .unwrap(),
        ),
    ])
    .collect()
}

#[test]
fn every_type_comes_back_as_it_went_alone_and_in_a_batch() {
    for others in [0, 3] {
        let (_database, mut desk) = empty();
        let fields = every_type(&desk);
        let nulls: Vec<(&str, Value)> = fields.iter().map(|(n, _)| (*n, Value::Null)).collect();
        let mut writes = vec![desk.upsert("full@x.example", &fields)];
        for at in 0..others {
            writes.push(desk.upsert(&format!("null{at}@x.example"), &nulls));
        }
        assert_eq!(desk.write(writes), []);
        let rows = desk.all();
        assert_eq!(rows.len(), 1 + others);
        let full = rows.iter().find(|r| r.key == "full@x.example").unwrap();
        assert_eq!(full.problem, None);
        for (name, value) in &fields {
            assert_eq!(desk.shown(full, name), Some(value), "{name}");
        }
        for row in rows.iter().filter(|r| r.key != "full@x.example") {
            for (name, _) in &fields {
                assert_eq!(desk.shown(row, name), Some(&Value::Null), "{name}");
            }
        }
    }
}

#[test]
fn a_row_is_added_or_changed_and_what_is_the_same_is_left_alone() {
    let (database, mut desk) = empty();
    let writes = |desk: &Desk, name: &str| -> Vec<Write> {
        (0..5)
            .map(|i| {
                desk.upsert(
                    &format!("{i}@x.example"),
                    &[("name", text(name)), ("doc", Value::Json("{}".into()))],
                )
            })
            .collect()
    };
    let versions = "string_agg(xmin::text, ',' ORDER BY email)";
    let first = writes(&desk, "old");
    assert_eq!(desk.write(first.clone()), []);
    database.run("UPDATE contacts SET age = 7");
    let before = database.one(&format!("SELECT {versions} FROM contacts"));
    assert_eq!(desk.write(first.clone()), []);
    assert_eq!(desk.write(vec![first[0].clone()]), []);
    assert_eq!(
        database.one(&format!("SELECT {versions} FROM contacts")),
        before
    );
    let new = writes(&desk, "new");
    assert_eq!(desk.write(new), []);
    assert_eq!(
        database.one("SELECT count(*) FROM contacts WHERE name = 'new' AND age = 7"),
        "5"
    );
}

#[test]
fn what_the_table_refuses_is_rejected_alone() {
    let (database, mut desk) = empty();
    database.run(
        "ALTER TABLE contacts ADD CHECK (age IS DISTINCT FROM 13); \
         CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF NEW.name = 'trigger' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER no BEFORE INSERT OR UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION no(); \
         CREATE TABLE bosses (name text PRIMARY KEY); \
         ALTER TABLE contacts ADD boss text DEFAULT NULL; \
         ALTER TABLE contacts ADD UNIQUE (born) DEFERRABLE INITIALLY DEFERRED",
    );
    let long = "x".repeat(61);
    let born = Type::Date.read_text("2000-01-01").unwrap();
    let mut writes: Vec<Write> = (0..400)
        .map(|i| {
            desk.upsert(
                &format!("{i:03}@x.example"),
                &[("name", text("fine")), ("age", Value::Int(i % 9))],
            )
        })
        .collect();
    writes[17] = desk.upsert(
        "017@x.example",
        &[("name", text(&long)), ("age", Value::Int(1))],
    );
    writes[18] = desk.upsert(
        "018@x.example",
        &[("name", text("trigger")), ("age", Value::Int(1))],
    );
    writes[301] = desk.upsert(
        "301@x.example",
        &[("name", text("fine")), ("age", Value::Int(13))],
    );
    writes[302] = desk.upsert(
        "302@x.example",
        &[("name", text("nul\0l")), ("age", Value::Int(1))],
    );
    writes[303] = desk.upsert(
        "303@x.example",
        &[("name", text("fine")), ("age", Value::Int(100_000))],
    );
    writes[304] = desk.upsert("304@x.example", &[("born", born.clone())]);
    writes[305] = desk.upsert("305@x.example", &[("born", born)]);
    let rejected = desk.write(writes);
    let at: Vec<usize> = rejected.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [17, 18, 301, 302, 303, 305]);
    let words = |n: usize| rejected.iter().find(|(at, _)| *at == n).unwrap().1.as_str();
    assert!(
        words(17).contains("too long for type character varying(60)"),
        "{}",
        words(17)
    );
    // What a trigger says may be made of values: it stands below the cause.
    let raised = "a function or trigger of the database refuses it (P0001)\nnot this one";
    assert_eq!(words(18), raised);
    assert!(words(301).contains("check constraint"), "{}", words(301));
    assert!(words(302).contains("U+0000"), "{}", words(302));
    assert!(
        words(303).contains("out of range for type smallint"),
        "{}",
        words(303)
    );
    assert!(words(305).contains("2000-01-01"), "{}", words(305));
    for (at, why) in &rejected {
        let cause = cause(why);
        assert!(
            !cause.contains("100000") && !cause.contains("2000-01-01"),
            "{at}: {cause}"
        );
    }
    assert_eq!(database.one("SELECT count(*) FROM contacts"), "394");
    // Alone, a record is refused in the same words.
    let alone = desk.upsert("018@x.example", &[("name", text("trigger"))]);
    assert_eq!(desk.write(vec![alone]), [(0, raised.to_owned())]);
}

#[test]
fn a_table_without_that_key_is_looked_into_first() {
    let database = Database::new();
    database.run("CREATE TABLE contacts (email text, name text)");
    let mut desk = Desk::open(
        r#"key email = "email" field name = "name""#,
        &database.url(),
    );
    for (name, alone) in [
        ("old", true),
        ("older", false),
        ("new", true),
        ("newer", false),
    ] {
        let mut writes = vec![desk.upsert("a@x.example", &[("name", text(name))])];
        if !alone {
            writes.push(desk.upsert("b@x.example", &[("name", text(name))]));
        }
        assert_eq!(desk.write(writes), []);
        assert_eq!(
            database.one("SELECT name FROM contacts WHERE email = 'a@x.example'"),
            name
        );
    }
    assert_eq!(database.one("SELECT count(*) FROM contacts"), "2");
}

#[test]
fn a_row_that_is_there_is_changed_though_a_new_one_would_lack_something() {
    let (database, mut desk) = empty();
    database.run("ALTER TABLE contacts ADD origin text NOT NULL; INSERT INTO contacts (email, origin) VALUES ('a@x.example', 'form')");
    let a = desk.upsert("a@x.example", &[("name", text("A"))]);
    let b = desk.upsert("b@x.example", &[("name", text("B"))]);
    assert_eq!(desk.write(vec![a.clone()]), []);
    let rejected = desk.write(vec![a, b]);
    assert_eq!(rejected.len(), 1);
    assert!(rejected[0].1.contains("\"origin\""), "{rejected:?}");
    assert_eq!(database.one("SELECT name || origin FROM contacts"), "Aform");
}

#[test]
fn records_are_deleted_by_key_and_one_of_several_by_its_place() {
    let (database, mut desk) = empty();
    database
        .run("INSERT INTO contacts (email) SELECT i || '@x.example' FROM generate_series(1, 4) i");
    let mut request = desk.request(10);
    request.locate = true;
    let (rows, _) = desk.read(request);
    let place = rows
        .iter()
        .find(|r| r.key == "3@x.example")
        .unwrap()
        .locator
        .clone();
    assert!(place.is_some());
    let located = Write {
        locator: place,
        ..desk.delete("3@x.example")
    };
    assert_eq!(desk.write(vec![desk.delete("1@x.example")]), []);
    assert_eq!(
        desk.write(vec![
            desk.delete("2@x.example"),
            located,
            desk.delete("9@x.example")
        ]),
        []
    );
    assert_eq!(
        database.one("SELECT string_agg(email, ',') FROM contacts"),
        "4@x.example"
    );
}

#[test]
fn many_rows_travel_in_one_batch() {
    let (database, mut desk) = empty();
    let name = "n".repeat(50);
    let writes: Vec<Write> = (0..10_000)
        .map(|i| {
            desk.upsert(
                &format!("{i}@x.example"),
                &[("name", text(&name)), ("age", Value::Int(i % 100))],
            )
        })
        .collect();
    let mut broken = writes.clone();
    broken[9_999] = desk.upsert(
        "9999@x.example",
        &[("name", text(&"x".repeat(61))), ("age", Value::Int(1))],
    );
    broken[3] = broken[9_999].clone();
    broken[3].key = "3@x.example".into();
    let rejected: Vec<usize> = desk.write(broken).into_iter().map(|(at, _)| at).collect();
    assert_eq!(rejected, [3, 9_999]);
    assert_eq!(desk.write(writes), []);
    assert_eq!(
        database.one("SELECT count(*) FROM contacts WHERE name = repeat('n', 50)"),
        "10000"
    );
}

/// Values of a field that sit at the edges of how the server keeps them.
fn edges(name: &str) -> Vec<Value> {
    let read = |ty: Type, texts: &[&str]| -> Vec<Value> {
        texts.iter().map(|text| value(&ty, text)).collect()
    };
    let mut edges = match name {
        "age" => [
            0,
            1,
            -1,
            9_999,
            10_000,
            32_767,
            32_768,
            -32_769,
            1 << 31,
            i64::MAX,
            i64::MIN,
        ]
        .map(Value::Int)
        .to_vec(),
        "balance" => {
            let ty = Type::Decimal {
                precision: 28,
                scale: 12,
            };
            let texts = [
                "0",
                "0.00",
                "-0.01",
                "0.0001",
                "0.00001",
                "1.10",
                "10000",
                "9999.9999",
                "10000.0001",
                "100000000",
                "123456789012.345678",
                "-9999999999.99",
                "0.000000000001",
                "99999999999999.5",
                "7000000",
            ];
            read(ty, &texts)
        }
        "born" => read(
            Type::Date,
            &[
                "0001-01-01",
                "1582-10-15",
                "1999-12-31",
                "2000-01-01",
                "2000-02-29",
                "9999-12-31",
            ],
        ),
        "seen" => read(
            Type::Datetime,
            &[
                "0001-01-01T00:00:00Z",
                "1969-12-31T23:59:59.999999Z",
                "1999-12-31T23:59:59.999999Z",
                "2000-01-01T00:00:00.000001Z",
                "2026-03-29T01:59:59.5Z",
                "9999-12-31T23:59:59.999999Z",
            ],
        ),
        "opted_out" => vec![Value::Bool(true), Value::Bool(false)],
        "status" => vec![text("new"), text("lost"), text("no such")],
        "doc" => [
            "{}",
            "[1,2.50,null]",
            "\"a\"",
            "7",
            r#"{"a":{"b":"\u00e9\\"}}"#,
        ]
        .map(|doc| Value::Json(doc.into()))
        .to_vec(),
        _ => vec![
            text(ANY_TEXT),
            text(""),
            text(" both ends "),
            text("6F9619FF-8B86-D011-B42D-00CF4FC964FF"),
            text("6f9619ff8b86d011b42d00cf4fc964ff"),
            text("{6f9619ff-8b86-d011-b42d-00cf4fc964ff}"),
            text("\\N"),
            text("nul\0l"),
            text("17"),
        ],
    };
    edges.push(Value::Null);
    edges
}

#[test]
fn many_at_once_leave_what_each_alone_leaves_in_columns_of_every_type() {
    let layouts = [
        (
            "age",
            vec![
                "smallint",
                "int",
                "bigint",
                "numeric",
                "numeric(5)",
                "float8",
                "real",
                "text",
            ],
        ),
        (
            "balance",
            vec![
                "numeric",
                "numeric(12,2)",
                "numeric(6,-2)",
                "float8",
                "text",
                "bigint",
            ],
        ),
        ("born", vec!["date", "timestamptz", "text", "born_at"]),
        (
            "seen",
            vec![
                "timestamptz",
                "timestamp",
                "timestamptz(3)",
                "date",
                "time",
                "text",
            ],
        ),
        ("opted_out", vec!["boolean", "text", "int"]),
        ("status", vec!["text", "varchar(3)", "state", "\"char\""]),
        ("doc", vec!["jsonb", "json", "text"]),
        (
            "name",
            vec![
                "text",
                "varchar(60)",
                "char(60)",
                "name",
                "uuid",
                "bytea",
                "short",
                "int",
            ],
        ),
    ];
    let database = Database::new();
    database.run(
        "CREATE TYPE state AS ENUM ('new', 'lost'); CREATE DOMAIN born_at AS date; \
         CREATE DOMAIN short AS text CHECK (length(VALUE) < 20)",
    );
    for (field, types) in layouts {
        for ty in types {
            let mut left = Vec::new();
            for alone in [true, false] {
                database.run(&format!(
                    "DROP TABLE IF EXISTS contacts; {TABLE}; ALTER TABLE contacts DROP {field}, \
                     ADD {field} {ty}"
                ));
                // Else all goes straight into it.
                database.run("INSERT INTO contacts (email) VALUES ('somebody')");
                let mut desk = Desk::open(MAP, &database.url());
                let writes = edges(field).into_iter().enumerate();
                let writes: Vec<Write> = writes
                    .map(|(at, value)| desk.upsert(&format!("{at:02}@x"), &[(field, value)]))
                    .collect();
                let rejected = match alone {
                    false => desk.write(writes),
                    true => {
                        let each = writes.into_iter().enumerate();
                        let each = each.flat_map(|(at, write)| {
                            let refused = desk.write(vec![write]).into_iter();
                            refused.map(|(_, why)| (at, why)).collect::<Vec<_>>()
                        });
                        each.collect()
                    }
                };
                let sql = format!(
                    "SELECT json_agg(ARRAY[email, {field}::text] ORDER BY email) FROM contacts"
                );
                left.push((rejected, database.one(&sql)));
            }
            assert_eq!(left[0], left[1], "{field} as {ty}");
        }
    }
}

#[test]
fn of_many_the_rows_that_are_there_are_changed_and_the_others_added() {
    let (database, mut desk) = empty();
    let writes = |desk: &Desk, from: i64, age: i64| -> Vec<Write> {
        let each = (from..from + 2_000).map(|i| {
            desk.upsert(
                &format!("{i}@x.example"),
                &[("age", Value::Int(age)), ("name", text("n"))],
            )
        });
        each.collect()
    };
    let held = |age: i64| format!("SELECT count(*) FROM contacts WHERE age = {age} AND name = 'n'");
    let rows = "SELECT string_agg(xmin::text, ',' ORDER BY email) FROM contacts";
    let first = writes(&desk, 0, 1);
    assert_eq!(desk.write(first.clone()), []);
    // From another connection than the one that filled it.
    let mut desk = Desk::open(MAP, &database.url());
    let before = database.one(rows);
    assert_eq!(desk.write(first), []);
    assert_eq!(database.one(rows), before, "what is the same is left alone");
    let all = writes(&desk, 0, 2);
    assert_eq!(desk.write(all), []);
    assert_eq!(database.one(&held(2)), "2000");
    // Some are there, some are not, one is refused.
    let mut some = writes(&desk, 1_000, 3);
    some[5] = desk.upsert(
        "1005@x.example",
        &[("age", Value::Int(99_999)), ("name", text("n"))],
    );
    some[1_500] = desk.upsert(
        "2500@x.example",
        &[("age", Value::Int(3)), ("name", text(&"x".repeat(61)))],
    );
    let rejected: Vec<usize> = desk.write(some).into_iter().map(|(at, _)| at).collect();
    assert_eq!(rejected, [5, 1_500]);
    assert_eq!(database.one(&held(3)), "1998");
    assert_eq!(database.one(&held(2)), "1001");
    // Hardly any is there, again and again.
    for round in 0..20 {
        let new = writes(&desk, 3_000 + 1_900 * round, 4 + round);
        assert_eq!(desk.write(new), []);
    }
    assert_eq!(database.one("SELECT count(*) FROM contacts"), "41099");
    assert_eq!(database.one(&held(23)), "2000");
    assert_eq!(database.one(&held(22)), "1900");
}

#[test]
fn triggers_see_of_many_what_they_see_of_one() {
    let (database, mut desk) = empty();
    database.run(
        "CREATE TABLE seen (what text, email text); \
         CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           INSERT INTO seen VALUES (TG_WHEN || ' ' || TG_OP, NEW.email); RETURN NEW; END $$; \
         CREATE TRIGGER before BEFORE INSERT OR UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION tell()",
    );
    let name = |desk: &Desk, at: usize, name: &str| {
        desk.upsert(&format!("{at}@x"), &[("name", text(name))])
    };
    let told = "SELECT string_agg(DISTINCT what, ', ' ORDER BY what) FROM seen";
    let old: Vec<Write> = (0..1_000).map(|at| name(&desk, at, "old")).collect();
    assert_eq!(desk.write(old), []);
    database.run("TRUNCATE seen");
    let one = name(&desk, 7, "new");
    assert_eq!(desk.write(vec![one]), []);
    let of_one = database.one(told);
    database.run("TRUNCATE seen");
    let all: Vec<Write> = (0..1_000).map(|at| name(&desk, at, "newer")).collect();
    assert_eq!(desk.write(all), []);
    assert_eq!(database.one(told), of_one);
}

#[test]
fn a_column_whose_type_changes_under_an_open_connection_is_written_as_what_it_is() {
    let held = "SELECT string_agg(age::text, ',' ORDER BY email) FROM contacts";
    let ages = |desk: &Desk, from: i64, name: Option<&str>| -> Vec<Write> {
        let each = (from..from + 3).map(|at| {
            let mut fields = vec![("age", Value::Int(at))];
            fields.extend(name.map(|name| ("name", text(name))));
            desk.upsert(&format!("{at}@x"), &fields)
        });
        each.collect()
    };
    for (before, after) in [
        ("smallint", "float8"),
        ("float8", "bigint"),
        ("int", "text"),
    ] {
        for filled in [true, false] {
            let database = Database::new();
            database.run(&format!(
                "{TABLE}; ALTER TABLE contacts ALTER age TYPE {before}"
            ));
            if filled {
                // Else all goes straight into it.
                database.run("INSERT INTO contacts (email) VALUES ('somebody')");
            }
            let mut desk = Desk::open(MAP, &database.url());
            let first = ages(&desk, 10, None);
            assert_eq!(desk.write(first), []);
            database.run(&format!("ALTER TABLE contacts ALTER age TYPE {after}"));
            // Once as before, once with columns that were not written yet.
            let (again, other) = (ages(&desk, 20, None), ages(&desk, 30, Some("n")));
            assert_eq!(desk.write(again), []);
            assert_eq!(desk.write(other), []);
            assert_eq!(
                database.one(held),
                "10,11,12,20,21,22,30,31,32",
                "{before} to {after}, {filled}"
            );
        }
    }
}

#[test]
fn a_table_whose_rows_are_guarded_one_by_one_is_written_to_by_who_does_not_own_it() {
    let (database, _) = empty();
    database.run(
        "DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON contacts TO guarded; \
         ALTER TABLE contacts ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY own ON contacts USING (status IS NULL) WITH CHECK (status IS NULL)",
    );
    let url = database.url().replace("syncline@", "guarded@");
    let mut desk = Desk::open(MAP, &url);
    // To that role the table is empty, and COPY will not fill it.
    let named = |desk: &Desk, name: &str| -> Vec<Write> {
        let each = ["a@x", "b@x"].map(|key| desk.upsert(key, &[("name", text(name))]));
        each.to_vec()
    };
    let (first, second) = (named(&desk, "A"), named(&desk, "B"));
    assert_eq!(desk.write(first), []);
    assert_eq!(desk.write(second), []);
    let held = "SELECT string_agg(email || ' ' || name, ',' ORDER BY email) FROM contacts";
    assert_eq!(database.one(held), "a@x B,b@x B");
    drop(desk);
    database.run("DROP OWNED BY guarded; DROP ROLE guarded");
}

#[test]
fn a_change_of_case_alone_is_written_where_the_column_makes_no_difference() {
    // With a key that an upsert can name, and without one.
    for key in [true, false] {
        let (database, mut desk) = empty();
        database.run(
            "CREATE EXTENSION citext; ALTER TABLE contacts ALTER name TYPE citext; \
             CREATE COLLATION careless (provider = icu, locale = 'und-u-ks-level2', \
               deterministic = false); \
             ALTER TABLE contacts ALTER status TYPE text COLLATE careless, \
               ALTER tags TYPE citext[]",
        );
        if !key {
            database.run("ALTER TABLE contacts DROP CONSTRAINT contacts_pkey");
        }
        database.run(
            "INSERT INTO contacts (email, name, status, tags) VALUES ('a@x', 'ada', 'NEW', '{t}')",
        );
        let fields = [
            ("name", text("Ada")),
            ("status", text("new")),
            ("tags", Value::Set(vec![text("T")])),
        ];
        for (name, to) in &fields {
            let writes = ["a@x", "b@x"].map(|key| desk.upsert(key, &[(name, to.clone())]));
            assert_eq!(desk.write(writes.to_vec()), []);
        }
        let held = "SELECT concat(name, ' ', status, ' ', tags) FROM contacts WHERE email = 'a@x'";
        assert_eq!(database.one(held), "Ada new {T}", "{key}");
        // And what is the same is left alone.
        let before = database.one("SELECT string_agg(xmin::text, ',') FROM contacts");
        for (name, to) in &fields {
            let writes = ["a@x", "b@x"].map(|key| desk.upsert(key, &[(name, to.clone())]));
            assert_eq!(desk.write(writes.to_vec()), []);
        }
        let after = database.one("SELECT string_agg(xmin::text, ',') FROM contacts");
        assert_eq!(after, before);
    }
}

#[test]
fn a_column_that_takes_more_under_an_open_connection_is_written_in_full() {
    let database = Database::new();
    database.run(&format!(
        "{TABLE}; ALTER TABLE contacts ALTER name TYPE varchar(3)"
    ));
    database.run("INSERT INTO contacts (email) VALUES ('somebody')");
    let mut desk = Desk::open(MAP, &database.url());
    let balance = |to: &str| {
        value(
            &Type::Decimal {
                precision: 14,
                scale: 4,
            },
            to,
        )
    };
    let write = |desk: &Desk, key: &str, name: &str, to: &str, age: i64| {
        let fields = [
            ("name", text(name)),
            ("balance", balance(to)),
            ("age", Value::Int(age)),
        ];
        desk.upsert(key, &fields)
    };
    // One alone and several, in columns that do not take all of it.
    let alone = vec![write(&desk, "a@x", "abc", "1.5", 1)];
    let several = ["b@x", "c@x"].map(|key| write(&desk, key, "abc", "1.5", 1));
    assert_eq!(desk.write(alone), []);
    assert_eq!(desk.write(several.to_vec()), []);
    // What would be rounded in silence, then what would be refused.
    database.run("ALTER TABLE contacts ALTER balance TYPE numeric(14, 4)");
    let several = ["b@x", "c@x"].map(|key| write(&desk, key, "abc", "1.1234", 1));
    assert_eq!(desk.write(several.to_vec()), []);
    assert_eq!(
        database.one("SELECT string_agg(balance::text, ',' ORDER BY email) FROM contacts"),
        "1.5000,1.1234,1.1234"
    );
    database.run("ALTER TABLE contacts ALTER name TYPE varchar(60), ALTER age TYPE int");
    let alone = vec![write(&desk, "a@x", "abcdef", "2.1234", 70_000)];
    let several = ["b@x", "c@x"].map(|key| write(&desk, key, "abcdef", "2.1234", 70_000));
    assert_eq!(desk.write(several.to_vec()), []);
    assert_eq!(desk.write(alone), []);
    let held = "SELECT string_agg(concat(name, ' ', balance, ' ', age), ',' ORDER BY email) \
         FROM contacts WHERE email <> 'somebody'";
    let full = "abcdef 2.1234 70000";
    assert_eq!(database.one(held), format!("{full},{full},{full}"));
    // And once more the other way about, where what was not known is one alone.
    database.run("ALTER TABLE contacts ALTER age TYPE bigint");
    let far = 3_000_000_000;
    let alone = vec![write(&desk, "a@x", "abcdef", "2.1234", far)];
    assert_eq!(desk.write(alone), []);
    assert_eq!(
        database.one("SELECT age FROM contacts WHERE email = 'a@x'"),
        "3000000000"
    );
    // What does not fit is refused as before, alone and among others.
    let bad = write(&desk, "d@x", &"x".repeat(61), "1.5", 1);
    let good = write(&desk, "e@x", "abcdef", "1.5", 1);
    assert_eq!(desk.write(vec![bad.clone()]).len(), 1);
    assert_eq!(desk.write(vec![bad, good]).len(), 1);
}

#[test]
fn an_empty_key_is_a_key_in_letters_too() {
    let (database, mut desk) = empty();
    database.run("INSERT INTO contacts (email) VALUES ('somebody')");
    let tags = Value::Set(vec![text("a")]);
    let writes = ["", "b"].map(|key| desk.upsert(key, &[("tags", tags.clone())]));
    assert_eq!(desk.write(writes.to_vec()), []);
    assert_eq!(desk.write(vec![writes[0].clone()]), []);
    assert_eq!(
        database.one("SELECT count(*) FROM contacts WHERE tags = '{a}' AND email IN ('', 'b')"),
        "2"
    );
}
