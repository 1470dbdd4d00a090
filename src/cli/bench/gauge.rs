//! What the process takes, as the system counts it, and how figures are summed up.

use std::fs;

/// Returns the resident size in MiB, or zero where the system does not say.
pub(super) fn resident_mib() -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0.0);
    kib / 1024.0
}

/// Returns the processor time taken so far by all threads, in seconds.
pub(super) fn cpu_secs() -> f64 {
    let taken = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    taken.tv_sec as f64 + taken.tv_nsec as f64 / 1e9
}

/// Returns the processor time that another process has taken so far, in seconds, as fine as the system's ticks are;
/// `None` where the system does not say.
pub(super) fn cpu_secs_of(process: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold spaces: the fields after its bracket are counted. Cites: proc(5), utime and stime are 14 and 15.
    let (_, after) = text.rsplit_once(')')?;
    let fields: Vec<f64> = after.split_whitespace().skip(11).take(2).filter_map(|f| f.parse().ok()).collect();
    Some(fields.iter().sum::<f64>() / rustix::param::clock_ticks_per_second() as f64)
}

/// Returns the value below which `share` of the values lie; zero for none.
pub(super) fn quantile(values: &mut [f64], share: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.sort_by(f64::total_cmp);
    let place = ((values.len() - 1) as f64 * share).round() as usize;
    values[place]
}
