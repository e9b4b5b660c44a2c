//! The same amount of declarations in the languages of several tools.
//!
//! A declaration is one line that says one thing: a field of an entity, a field's place in a
//! system, a system, a flow for Syncline; an attribute of an entity type or a policy for Cedar; a
//! field of a message for Buf; a field of a class or a constant for ruff. Each text is made of
//! units of [`UNIT`] declarations, so that a size means the same for all of them.

use std::fmt::Write;

/// Fields of an entity in a unit.
const FIELDS: usize = 12;

/// Fields in three systems and two flows of one entity.
const USES: usize = 3 * FIELDS + 2;

/// Declarations in one unit: what one entity takes in Syncline.
pub const UNIT: usize = FIELDS + USES;

/// Files of an input: name and text.
pub type Files = Vec<(&'static str, String)>;

/// Units that come nearest to a number of declarations, at least one.
pub fn units(declarations: usize) -> usize {
    (declarations / UNIT).max(1)
}

/// A policy.
pub fn sync(units: usize) -> Files {
    vec![(
        "policy.sync",
        super::policy_of(units, 20.min(units + 2), FIELDS),
    )]
}

/// A schema of entity types and policies over each.
pub fn cedar(units: usize) -> Files {
    let mut schema = String::from("entity User = { \"id\": String };\n");
    let mut policies = String::new();
    for unit in 0..units {
        let _ = writeln!(schema, "entity Ent{unit} = {{");
        for field in 0..FIELDS {
            let ty = ["String", "Long", "Bool", "Set<String>"][field % 4];
            let _ = writeln!(schema, "  \"field_{field}\": {ty},");
        }
        let _ = write!(
            schema,
            "}};\naction \"read{unit}\" appliesTo {{ principal: [User], resource: [Ent{unit}] }};\n"
        );
        for policy in 0..USES {
            let field = policy % FIELDS;
            let test = [
                format!("resource.field_{field} == \"value {policy}\""),
                format!("resource.field_{field} > {policy}"),
                format!("resource.field_{field}"),
                format!("resource.field_{field}.contains(\"value {policy}\")"),
            ];
            let _ = writeln!(
                policies,
                "@id(\"p{unit}_{policy}\") permit (principal, action == Action::\"read{unit}\", resource) when {{ {} }};",
                test[field % 4]
            );
        }
    }
    vec![("schema.cedarschema", schema), ("policies.cedar", policies)]
}

/// Messages.
pub fn buf(units: usize) -> Files {
    let mut text = String::from("syntax = \"proto3\";\n\npackage generated.v1;\n");
    for unit in 0..units {
        let _ = writeln!(text, "\n// Records of kind {unit}.\nmessage Ent{unit} {{");
        for field in 1..=UNIT {
            let ty = ["string", "int64", "bool", "repeated string"][field % 4];
            let _ = writeln!(text, "  {ty} field_{field} = {field};");
        }
        text.push_str("}\n");
    }
    let config = "version: v2\nlint:\n  use:\n    - STANDARD\n".to_owned();
    vec![("generated/v1/all.proto", text), ("buf.yaml", config)]
}

/// Data classes with constants.
pub fn ruff(units: usize) -> Files {
    let mut text = String::from("from dataclasses import dataclass, field\n");
    for unit in 0..units {
        let _ = writeln!(
            text,
            "\n\n@dataclass\nclass Ent{unit}:\n    \"\"\"Records of kind {unit}.\"\"\"\n"
        );
        for line in 0..USES {
            let ty = [
                "str | None = None",
                "int = 0",
                "bool = False",
                "list[str] = field(default_factory=list)",
            ][line % 4];
            let _ = writeln!(text, "    field_{line}: {ty}");
        }
        text.push('\n');
        for line in 0..FIELDS {
            let _ = writeln!(
                text,
                "\nENT_{unit}_MAX_{line} = {line} + len(\"value {unit}\")"
            );
        }
    }
    vec![("generated.py", text)]
}
