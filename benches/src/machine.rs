//! What machine this is, in the words of its own files.

/// Processor, cores, memory and compiler profile, for the head of the report.
pub fn name() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':'));
        value.map_or_else(
            || "unknown".to_owned(),
            |(_, value)| value.trim().to_owned(),
        )
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    format!(
        "{} ({}), {cores} cores, {} GiB of memory, Linux {}",
        field(&read("/proc/cpuinfo"), "model name"),
        std::env::consts::ARCH,
        kib / (1024 * 1024),
        release(&read("/proc/sys/kernel/osrelease")),
    )
}

/// The release without what whoever built the kernel calls it.
fn release(text: &str) -> String {
    let numbers = text.trim().split(['.', '-']).take(2);
    numbers.collect::<Vec<_>>().join(".")
}
