#!/usr/bin/env bash
# Python environments for compare.sh: RecBole 1.2.1 in VENV and RecTools 0.19.0, which
# needs a newer numpy, in VENV-rectools, both on torch 2.11.0. About 6 GB, minutes.
#
# Usage: scripts/peers/setup.sh VENV
set -euo pipefail
venv=${1:?usage: scripts/peers/setup.sh VENV}
python3 -m venv "$venv"
"$venv/bin/pip" install torch==2.11.0 'numpy<2' scipy pandas tqdm colorlog colorama pyyaml \
	tensorboard texttable psutil ray==2.9.0 thop tabulate plotly scikit-learn
"$venv/bin/pip" install recbole==1.2.1 --no-deps
python3 -m venv "$venv-rectools"
"$venv-rectools/bin/pip" install torch==2.11.0 'rectools[torch]==0.19.0'
