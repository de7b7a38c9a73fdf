//! Words as a POSIX shell reads them: what is told to be typed has to do the same when it is pasted.

use std::borrow::Cow;

/// A line of words.
pub(super) fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().map(quoted).collect();
    words.join(" ")
}

/// One word, in quotes only if it needs them.
fn quoted(word: &str) -> Cow<'_, str> {
    let means_itself = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !word.is_empty() && word.chars().all(means_itself) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

/// The words that a shell makes of a line.
#[cfg(all(test, unix))]
pub(super) fn split(line: &str) -> Vec<String> {
    let script = format!("printf '%s\\0' {line}");
    let said = std::process::Command::new("sh")
        .args(["-c", &script])
        .output();
    let said = String::from_utf8(said.unwrap().stdout).unwrap();
    let words = said.split_terminator('\0');
    words.map(str::to_owned).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_shell_makes_the_same_words_of_it() {
        let words = [
            "simulate",
            "duration=1m 30s",
            "",
            "it's $HOME; `rm` \"x\" \\ *",
            "two\nlines",
            "~",
            "network.partitions.0.regions=[0, 1]",
        ];
        assert_eq!(split(&line(words)), words);
    }

    #[test]
    fn plain_words_stay_as_they_are() {
        let words = "trackless simulate runs/churn-1 --set dht.alpha=3";
        assert_eq!(line(words.split(' ')), words);
    }
}
