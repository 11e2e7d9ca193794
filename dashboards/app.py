"""The control room in the browser: `twin dashboard` or `streamlit run dashboards/app.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # `streamlit run` puts only this file's folder on the path

# A local icon, set before the navigation: otherwise the browser would fetch one from elsewhere.
st.set_page_config(
    page_title="Broker twin", page_icon=str(Path(__file__).parent / "app_pages" / "icon.png"), layout="wide"
)
st.navigation([st.Page("app_pages/day.py", title="A trading day · 交易日", default=True)], position="hidden").run()
