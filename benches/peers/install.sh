#!/bin/sh
# Installs the peers of `cargo bench --bench postgres` into a directory outside the tree:
#   sh benches/peers/install.sh DIR
# then SYNCLINE_PEERS=DIR cargo bench --bench postgres
set -eu
dir=${1:?a directory to install into}
python3 -m venv "$dir/venv"
# Newer releases of `sling` fetch their program from elsewhere; this one has it in the package.
"$dir/venv/bin/pip" install -q 'sling==1.4.11' 'sling-linux-amd64==1.4.11' \
    'dlt[postgres]==1.31.0' 'sqlalchemy>=2' pyarrow numpy
sling=$("$dir/venv/bin/python" -c 'import sling_linux_amd64 as s, os; print(os.path.dirname(s.__file__))')
cp "$sling/bin/sling-linux-amd64" "$dir/sling"
chmod +x "$dir/sling"
