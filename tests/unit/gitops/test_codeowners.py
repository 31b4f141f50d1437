"""CODEOWNERS as GitHub's documentation has it, example by example."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.gitops.codeowners import MAX_BYTES, errors, owners

# the examples of https://docs.github.com/articles/about-code-owners, in their order
EXAMPLE = """\
# This is a comment.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
"""


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("src/main.rs", ("@global-owner1", "@global-owner2")),
        ("a/b/c.js", ("@js-owner",)),
        ("main.go", ("docs@example.com",)),
        ("deep/er/notes.txt", ("@octo-org/octocats",)),
        ("build/logs/x/y.bin", ("@octocat",)),
        ("deploy/logs/x.bin", ("@octocat",)),
        ("logs/x.bin", ("@octocat",)),
        ("docs/getting-started.md", ("@doctocat",)),
        ("scripts/run.sh", ("@doctocat", "@octocat")),
        ("other/apps/x/y.bin", ("@octocat",)),
        ("apps/web/x.bin", ("@octocat",)),
        ("apps/github/x.bin", ()),
    ],
)
def test_the_documented_example(path: str, wanted: tuple[str, ...]) -> None:
    """Harm: a change is sent to people who do not own it, or to nobody."""
    assert owners(EXAMPLE, path) == wanted


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("docs/*", "docs/getting-started.md", True),
        ("docs/*", "docs/build-app/troubleshooting.md", False),
        ("docs/*", "x/docs/a.md", False),
        ("apps/", "apps/x", True),
        ("apps/", "deep/apps/x/y", True),
        ("apps/", "apps", False),
        ("/build/logs/", "build/logs/a", True),
        ("/build/logs/", "x/build/logs/a", False),
        ("build/logs", "build/logs/a", True),
        ("**/logs", "logs/a", True),
        ("**/logs", "a/b/logs", True),
        ("**/logs", "a/catalogs", False),
        ("apps/**/kustomization.yaml", "apps/kustomization.yaml", True),
        ("apps/**/kustomization.yaml", "apps/a/b/kustomization.yaml", True),
        ("apps/**", "apps/a/b", True),
        ("apps/**", "apps", False),
        ("**", "any/thing", True),
        ("/", "any/thing", True),
        ("*", "any/thing", True),
        ("/*", "any/thing", False),
        ("/*", "thing", True),
        ("*.tf", "modules/x.tf", True),
        ("*.tf", "modules/x.tf.bak", False),
        ("web-?.yaml", "apps/web-1.yaml", True),
        ("web-?.yaml", "apps/web-12.yaml", False),
        (r"my\ folder/", "my folder/x", True),
        ("Apps/", "apps/x", False),
        ("a.b", "aXb", False),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    """Harm: a folder's owner is asked for a file elsewhere, or not for one of the folder."""
    assert owners(f"{pattern} @ann", path) == (("@ann",) if matches else ())


def test_lines_that_do_not_hold_are_left_out_and_listed() -> None:
    """Harm: a line that GitHub skips names an approver here, or one bad line hides all others."""
    text = "* @all\n!secret @a\n[ab].yaml @b\n\\#x @c\n*.md ann\n\n  # note\n*.py @team/x/y\n"
    assert errors(text) == (
        "line 2: a pattern cannot be negated with !",
        "line 3: [ ] is no range of characters here",
        "line 4: a pattern cannot begin with #",
        "line 5: 'ann' is no user, team or address",
        "line 8: '@team/x/y' is no user, team or address",
    )
    for path in ("secret", "a.yaml", "x", "readme.md"):
        assert owners(text, path) == ("@all",)


def test_sections_of_gitlab_are_passed_over() -> None:
    """Harm: a repository that lives on two hosts has no owners, or an error in each heading."""
    text = "[Platform]\n*.tf @infra\n^[Docs][2] @writers\n*.md @ann\n"
    assert errors(text) == ()
    assert (owners(text, "x.tf"), owners(text, "x.md")) == (("@infra",), ("@ann",))


def test_a_file_that_github_does_not_load_names_nobody() -> None:
    """Harm: somebody is asked to approve by a file that the forge itself ignores."""
    text = "* @ann\n" + "#" * MAX_BYTES
    assert owners(text, "x") == ()
    assert "larger than 3 MB" in errors(text)[0]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=30))
def test_no_text_breaks_it(text: str, path: str) -> None:
    """Harm: a file that somebody broke stops every pull request."""
    assert isinstance(owners(text, path), tuple)
    assert isinstance(errors(text), tuple)
