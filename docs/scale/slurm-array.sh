#!/usr/bin/env bash
# A study in parts on Slurm, and their merge.
#
#   SCENARIO=scenarios/today.toml RUNS=10000 OUT=/shared/today sbatch --array=1-50 docs/scale/slurm-array.sh
#   sbatch --dependency=afterok:JOBID --wrap 'adit spread merge /shared/today'
#
# The number of parts is the size of the array, so begin it with 1 and leave no
# gaps. OUT must be a folder that all nodes see. A part that failed is done again
# with `PARTS=50 sbatch --array=7 ...`.
#SBATCH --job-name=adit-spread
#SBATCH --cpus-per-task=4
#SBATCH --mem=2G
#SBATCH --time=01:00:00
set -euo pipefail

: "${SCENARIO:?the scenario, as in scenarios/today.toml}"
: "${OUT:?a folder that all nodes see}"

part=${SLURM_ARRAY_TASK_ID:?submit it with --array=1-N}
parts=${PARTS:-${SLURM_ARRAY_TASK_COUNT:?submit it with --array=1-N}}

exec adit spread "$SCENARIO" \
  --runs "${RUNS:-1000}" --seed "${SEED:-1}" --shard "$part/$parts" \
  --threads "${SLURM_CPUS_PER_TASK:-1}" --out "$OUT"
