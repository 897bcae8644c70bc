#!/bin/sh -e
"$GLASSBOX" run --name cow1 box sh -c 'echo moo >> /etc/motd'
