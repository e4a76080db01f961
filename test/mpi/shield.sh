#!/bin/sh
# Starts a rank, and keeps from it the signal by which MPICH's mpiexec tells that another rank has died: Julia would
# end.
trap : USR1
"$@" &
rank=$!
# A signal ends `wait`, too.
while kill -0 $rank 2>/dev/null; do wait $rank; done
