//! Memory in large pages: with a million nodes every step goes to another corner of gigabytes, and of small pages most of the
//! time is spent on finding them. The C library's allocator can ask for large ones, if it is told before the program begins.

use simulations::Plan;

/// Smaller worlds do not gain by it.
const WORTH_IT: u32 = 100_000;

/// Begins the program again, as the same process and with the same arguments, if that makes one of these faster. It is asked before
/// the first of them is run.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn begin_again_if_worth_it<'a>(plans: impl IntoIterator<Item = &'a Plan>) {
    use std::env;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    const TUNABLES: &str = "GLIBC_TUNABLES";
    // One arena: those of further threads grow by less than a large page at a time, and get none.
    const HUGE_PAGES: &str = "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1";

    let tunables = env::var(TUNABLES).unwrap_or_default();
    let is_worth_it = plans.into_iter().any(|plan| plan.nodes >= WORTH_IT);
    if !is_worth_it || tunables.contains("glibc.malloc.hugetlb") {
        return;
    }
    let tunables = match tunables.as_str() {
        "" => HUGE_PAGES.to_owned(),
        others => format!("{others}:{HUGE_PAGES}"),
    };
    if let Ok(program) = env::current_exe() {
        // It returns only if it failed, and then the run is slower and nothing else.
        let _ = Command::new(program)
            .args(env::args_os().skip(1))
            .env(TUNABLES, tunables)
            .exec();
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn begin_again_if_worth_it<'a>(_: impl IntoIterator<Item = &'a Plan>) {}
