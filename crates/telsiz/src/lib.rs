//! telsiz
