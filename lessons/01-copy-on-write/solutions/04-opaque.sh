#!/bin/sh -e
"$GLASSBOX" run --name cow4 box sh -c 'rm -r /var && mkdir /var && echo mine > /var/mine'
