//! SL01: who owns a field, who else may write it, and whether its flows keep to that.

pub(super) mod sl0101_no_owner;
pub(super) mod sl0102_two_owners;
pub(super) mod sl0103_write_to_owner;
pub(super) mod sl0104_unauthorised_source;
pub(super) mod sl0105_competing_writers;
pub(super) mod sl0106_sync_loop;

use crate::model::Field;

/// Whether all that is said about a field's origins could be read, so that a missing one is really
/// missing; not so for keys and derived fields, which have none.
fn origins_known(field: &Field) -> bool {
    field.is_data() && !field.origins_unknown()
}
