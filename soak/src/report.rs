//! What a run prints at its end.

use crate::run::Run;
use crate::world::Found;

/// So many violations are told with all that was heard.
const SHOWN: usize = 5;

/// Says what was found.
pub(crate) fn violations(run: &Run, found: &[Found]) {
    println!("\nlog of the server:");
    for line in run.server.last_lines().lines() {
        println!("  | {line}");
    }
    for Found {
        at,
        by,
        violation,
        heard,
    } in found.iter().take(SHOWN)
    {
        println!(
            "\nVIOLATION after {:.3} s, found by {by}:\n  {violation}",
            at.as_secs_f64()
        );
        for line in heard {
            println!("  | {line}");
        }
    }
    if found.len() > SHOWN {
        println!("\nand {} more:", found.len() - SHOWN);
        for Found { by, violation, .. } in found.iter().skip(SHOWN).take(20) {
            println!("  {by}: {violation}");
        }
    }
}

/// Says what was done.
pub(crate) fn summary(run: &Run) {
    let tally = &run.world.tally;
    let count = |name: &str| tally.get(name);
    println!(
        "\nmessages     {} sent, of them {} published besides those over HTTP; {} acknowledged, {} delivered, {} tried again",
        count("sent"),
        count("published"),
        count("acknowledged"),
        count("delivered"),
        count("tried again"),
    );
    let (known, unseen) = run.world.oracle().counts();
    println!("logs         {known} messages known, {unseen} places seen by nobody");
    println!(
        "recoveries   {} in full, {} beyond what is kept",
        count("recoveries/true"),
        count("recoveries/false"),
    );
    println!(
        "server       {} kills, {} stops, the slowest in {} ms; the slowest /health {} ms",
        count("kills"),
        count("stops"),
        count("slowest stop"),
        count("slowest health"),
    );
    for (name, beginning) in [
        ("clients", "clients/"),
        ("connections", "opened/"),
        ("left", "gone/"),
        ("ended by", "ended/"),
        ("garbage", "garbage/"),
        ("refused", "refused/"),
    ] {
        let counts = tally.under(beginning);
        let counts = counts.iter().map(|(name, count)| format!("{count} {name}"));
        println!("{name:<12} {}", counts.collect::<Vec<_>>().join(", "));
    }
    println!(
        "stalls       {}, floods {}",
        count("stalls"),
        count("floods")
    );
    let (warnings, errors) = run.server.complaints();
    println!("log          {warnings} warnings, {errors} errors");
    match run.held {
        Some((start, end)) => println!(
            "one life     {} KiB warm, {} KiB at the end ({:+.1} %); files {} and {}, threads {} and {}",
            start.resident,
            end.resident,
            100.0 * (end.resident as f64 / start.resident as f64 - 1.0),
            start.files,
            end.files,
            start.threads,
            end.threads,
        ),
        None => println!("one life     not measured"),
    }
}
