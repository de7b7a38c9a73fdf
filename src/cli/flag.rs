//! A flag that stands in an environment variable.

/// Reads yes or no, in the words that are usual for it. A variable that is empty says nothing.
pub(crate) fn parse(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" => Ok(true),
        "" | "0" | "false" | "f" | "no" | "n" | "off" => Ok(false),
        _ => Err(
            "its environment variable is 1 or 0, yes or no, true or false, on or off".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_for_yes_and_no_are_understood() {
        for yes in ["1", "true", "Yes", "ON", "y", "t"] {
            assert_eq!(parse(yes), Ok(true), "{yes}");
        }
        for no in ["", "0", "false", "No", "OFF", "n", "f"] {
            assert_eq!(parse(no), Ok(false), "{no}");
        }
        for neither in ["hello", "2", "-", "yes please"] {
            assert!(parse(neither).is_err(), "{neither}");
        }
    }
}
