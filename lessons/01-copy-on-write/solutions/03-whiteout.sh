#!/bin/sh -e
"$GLASSBOX" run --name cow3 box rm /etc/motd
