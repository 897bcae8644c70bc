#!/bin/sh -e
"$GLASSBOX" run --name cow2 box sh -c 'cat /etc/motd > /seen'
