"""The control room in the browser: `twin dashboard` or `streamlit run dashboards/app.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:
    sys.path.insert(0, str(HERE.parent))  # `streamlit run` puts only this file's folder on the path

# A local icon, set before the navigation: otherwise the browser would fetch one from elsewhere.
st.set_page_config(page_title="Broker twin", page_icon=str(HERE / "app_pages" / "icon.png"), layout="wide")
st.navigation([st.Page(HERE / "app_pages" / "day.py", title="Broker twin", default=True)], position="hidden").run()
