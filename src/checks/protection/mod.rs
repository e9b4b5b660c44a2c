//! SL06: who may see what, and who hears when something goes wrong.
