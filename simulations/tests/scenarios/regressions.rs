//! What went wrong once does not again.

use std::fs;
use std::path::Path;

use simulations::{Codec, Plan};

use crate::run;

#[test]
fn everything_holds_in_each_plan_in_which_it_once_did_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/regressions");
    let mut replayed = 0;
    for entry in fs::read_dir(&folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let text = fs::read_to_string(&path).expect("it can be read");
            let plan =
                Plan::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            run(&plan, 1, Codec::Structured);
            replayed += 1;
        }
    }
    assert!(replayed > 0, "there is nothing in {}", folder.display());
}
