//! How the process takes memory: a server, which mostly waits, as little as can be; a command, which ends soon, as fast as can be.

use std::path::Path;
use std::time::Duration;

use rustix::mm::{Advice, madvise};

/// Takes memory in small pages from here on: what a process does in its first moment, before it knows which command it is.
/// A server mostly waits, and pages of two megabytes of which each thread touches a little are memory for nothing. Where the
/// kernel refuses, all stays as it is. Says whether it was this that has changed anything: whoever started the process may want it
/// so for reasons of their own.
pub(crate) fn small_pages() -> bool {
    let already = rustix::thread::transparent_huge_pages_are_disabled().unwrap_or(true);
    !already && rustix::thread::disable_transparent_huge_pages(true).is_ok()
}

/// Takes memory in large pages again, where the allocator asks for them: what a command that ends soon is better served by.
pub(crate) fn large_pages() {
    let _refused = rustix::thread::disable_transparent_huge_pages(false);
}

/// How often a server lets go of the pages of the program.
pub(crate) const SWEEP: Duration = Duration::from_secs(10);

/// Has the kernel forget which pages of the program were run until now. With each page that is needed it maps those around it,
/// so that after a start half the program counts as this process's memory; what is needed again is mapped again, from the
/// file's pages that the system has in memory anyway, which takes microseconds. Where the kernel says nothing about the program,
/// nothing is done.
pub(crate) fn forget_pages_of_the_program() {
    let Ok(program) = std::fs::read_link("/proc/self/exe") else { return };
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
    // where the kernel refuses, all stays as it is
    for (begin, length) in maps.lines().filter_map(|line| text_of(line, &program)) {
        // SAFETY: the pages of text (`r-xp`) were read from the program's file and never changed, there being no relocations in
        // text, so that after `MADV_DONTNEED` the next access reads the same from the file. The kernel may drop such pages at any
        // time by itself. What is lost is what a debugger wrote there.
        #[allow(unsafe_code, reason = "the only way to give mapped pages back")]
        let _refused =
            unsafe { madvise(std::ptr::without_provenance_mut(begin), length, Advice::LinuxDontNeed) };
    }
}

/// Where a line of `/proc/self/maps` (proc(5)) says that text of the program is, and how much.
fn text_of(line: &str, program: &Path) -> Option<(usize, usize)> {
    let mut fields = line.splitn(6, ' ');
    let (range, rights) = (fields.next()?, fields.next()?);
    let path = fields.nth(3)?.trim_start();
    let (begin, end) = range.split_once('-')?;
    let (begin, end) = (usize::from_str_radix(begin, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    (rights == "r-xp" && Path::new(path) == program).then_some((begin, end.checked_sub(begin)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_of_the_program_is_forgotten() {
        let program = Path::new("/usr/bin/aedile");
        for (line, found) in [
            (
                "1000-3000 r-xp 00001000 fe:00 7                          /usr/bin/aedile",
                Some((0x1000, 0x2000)),
            ),
            ("3000-4000 r--p 00003000 fe:00 7                          /usr/bin/aedile", None),
            ("4000-5000 rw-p 00004000 fe:00 7                          /usr/bin/aedile", None),
            ("5000-6000 r-xp 00001000 fe:00 8                          /usr/lib/libc.so.6", None),
            ("6000-7000 r-xp 00000000 00:00 0", None),
            ("7000-8000 r-xp 00001000 fe:00 9                          /usr/bin/aedile of old.so", None),
            ("", None),
        ] {
            assert_eq!(text_of(line, program), found, "{line}");
        }
    }
}
