#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| galewire::fuzz::child(data));
