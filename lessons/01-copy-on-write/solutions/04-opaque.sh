#!/bin/sh -e
"$GLASSBOX" run --name cow4 box sh -c \
    'rm -r /usr/share/box && mkdir /usr/share/box && echo mine > /usr/share/box/mine'
