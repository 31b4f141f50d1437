"""How the pages of this folder become a site: `make site`."""

project = "finops-dagster"
extensions = ["myst_parser"]
html_theme = "alabaster"
html_theme_options = {"page_width": "1100px", "sidebar_width": "240px"}
html_show_copyright = False
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # Pygments knows no CSV
