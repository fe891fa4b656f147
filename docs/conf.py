"""How the documentation is built: ``sphinx-build -W docs docs/_build/html``."""

from __future__ import annotations

import os
import warnings

# Before anything is imported: two threads that wait for each other, on a machine
# with other work, take the examples from seconds to minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sktandem

project = "sktandem"
copyright = "the sktandem developers"
author = "The sktandem developers"
release = version = sktandem.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
# References to scikit-learn stay plain text: the build must not need a network,
# so there is no intersphinx inventory to resolve them with.
nitpicky = False

templates_path = ["_templates"]
exclude_patterns = ["_build", "examples", "auto_examples/**.ipynb"]
default_role = "any_text"
root_doc = "index"

# Formulas are MathML, which browsers draw by themselves, without a script from
# elsewhere.
html_math_renderer = "mathml"

# What is copied is what is typed: no prompts, no outputs.
copybutton_prompt_text = r">>> |\.\.\.(?: |$)|\$ "
copybutton_prompt_is_regexp = True

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings tell the types, in plainer words
numpydoc_show_class_members = False
numpydoc_validation_checks: set[str] = set()

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "ExampleTitleSortKey",
    "backreferences_dir": "api/generated/backreferences",
    "doc_module": ("sktandem",),
    "reference_url": {"sktandem": None},
    "image_scrapers": ("matplotlib",),
    "image_srcset": ["2x"],
    "remove_config_comments": True,
    "show_memory": False,
    "download_all_examples": False,
    "write_computation_times": False,  # that page loads scripts from elsewhere
    "abort_on_example_error": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "sktandem"
html_static_path = ["_static"]
html_css_files = ["sktandem.css"]
html_show_sourcelink = False
html_sidebars = {"index": [], "changelog": []}
html_theme_options = {
    "logo": {"text": f"sktandem {version}"},
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

# An example that warns is an example to be mended.
warnings.filterwarnings("error", module="sktandem")


def _skip_routing(app, what, name, obj, skip, options):
    """Leave out what scikit-learn's metadata routing adds to every class."""
    routed = name.startswith("set_") and name.endswith("_request")
    return True if routed or name == "get_metadata_routing" else skip


def _plain_text(name, rawtext, text, lineno, inliner, options=None, content=None):
    """Render `name` in single backticks as code, as scikit-learn's pages do."""
    from docutils import nodes

    return [nodes.literal(rawtext, text)], []


def _visit_math(self, node):
    """Write a formula as MathML."""
    from docutils import nodes
    from docutils.utils.math.latex2mathml import tex2mathml

    as_block = isinstance(node, nodes.math_block)
    self.body.append(tex2mathml(node.astext(), as_block=as_block))
    raise nodes.SkipNode


def setup(app):
    """Register the above."""
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_math, None))
    app.add_role("any_text", _plain_text)
    app.connect("autodoc-skip-member", _skip_routing)
