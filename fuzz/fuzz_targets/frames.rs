//! Hands what libFuzzer makes up to the driver of the same name.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telsiz_fuzz::frames(data));
