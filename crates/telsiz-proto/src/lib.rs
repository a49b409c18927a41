//! telsiz-proto
