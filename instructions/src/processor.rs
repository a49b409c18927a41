//! What the code under count asks the processor before it chooses its instructions.

/// The architecture, and those of its extensions that the library's dependencies choose by. Valgrind shows programs
/// the same processor on every machine, but without the extensions that the machine does not have.
pub(crate) fn description() -> String {
    let mut words = vec![std::env::consts::ARCH];
    words.extend(extensions());
    words.join(" ")
}

#[cfg(target_arch = "x86_64")]
fn extensions() -> impl Iterator<Item = &'static str> {
    use std::arch::is_x86_feature_detected as has;
    let all = [
        ("sse4.2", has!("sse4.2")),
        ("pclmulqdq", has!("pclmulqdq")),
        ("avx2", has!("avx2")),
        ("bmi2", has!("bmi2")),
        ("sha", has!("sha")),
        ("vpclmulqdq", has!("vpclmulqdq")),
        ("avx512f", has!("avx512f")),
        ("avx512vl", has!("avx512vl")),
    ];
    all.into_iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| name)
}

#[cfg(not(target_arch = "x86_64"))]
fn extensions() -> impl Iterator<Item = &'static str> {
    std::iter::empty()
}
