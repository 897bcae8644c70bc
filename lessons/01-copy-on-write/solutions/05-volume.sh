#!/bin/sh -e
data=$(mktemp -d)
"$GLASSBOX" run --name cow5 -v "$data:/data" box sh -c 'echo kept > /data/note'
