//! Runs the Python programs beside this file.

use super::program::Interpreter;

const PYTHON: Interpreter = Interpreter {
    variable: "RESPLITE_PYTHON",
    packages: "the packages of tests/requirements.txt",
    directory: "",
    environment: &[("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONUNBUFFERED", "1")],
};

/// Runs a program with these arguments until it ends, and fails with all that it said unless it ended well.
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) {
    PYTHON.run(program, arguments);
}
