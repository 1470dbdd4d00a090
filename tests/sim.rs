//! The simulator: many seeds, each with its own mix of faults. `SEED=n` runs one seed; `SIM_SEEDS=n` runs so many.

use wasl::core::outcome::DeliveryResult;
use wasl::sim;

/// How many seeds a plain run tries.
const SEEDS: u64 = 60;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_is_lost_nothing_is_doubled_unmarked_and_everything_settles() {
    let seeds: Vec<u64> = match number("SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("SIM_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let outlines: Vec<_> = std::thread::scope(|scope| {
        let part = |nth: usize| seeds.iter().copied().skip(nth).step_by(threads);
        let runs: Vec<_> = (0..threads)
            .map(|nth| {
                let seeds: Vec<u64> = part(nth).collect();
                scope.spawn(move || seeds.into_iter().map(|seed| (seed, sim::run(seed))).collect::<Vec<_>>())
            })
            .collect();
        runs.into_iter().flat_map(|run| run.join().expect("a run does not panic")).collect()
    });
    let (mut messages, mut crashes, mut results) = (0, 0, [0u64; 7]);
    for (seed, outline) in outlines {
        match outline {
            Ok(outline) => {
                messages += outline.messages;
                crashes += outline.crashes;
                results.iter_mut().zip(outline.results).for_each(|(sum, n)| *sum += n);
            }
            Err(broken) => panic!("{broken}\nrerun: SEED={seed} cargo test --test sim"),
        }
    }
    println!("{messages} messages, {crashes} crashes");
    for result in DeliveryResult::ALL {
        println!("  {result:<14}{}", results[result as usize]);
    }
    if number("SEED").is_none() {
        // A simulator in which nothing ever fails or ends badly would prove nothing.
        assert!(crashes > 0 && results[DeliveryResult::Delivered as usize] > messages / 2);
        use DeliveryResult::{Cancelled, Failed, HandedOver, Superseded};
        for result in [HandedOver, Failed, Cancelled, Superseded] {
            assert!(results[result as usize] > 0, "{result} never happened");
        }
    }
}

#[test]
fn one_seed_is_one_run() {
    assert_eq!(sim::run(3), sim::run(3));
}
