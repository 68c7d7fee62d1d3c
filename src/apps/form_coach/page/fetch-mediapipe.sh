#!/bin/sh
# Installs MediaPipe Pose (Apache-2.0) under the build's target folder, from where the binary serves it.
#
#   src/apps/form_coach/page/fetch-mediapipe.sh [FOLDER]      default: $CARGO_TARGET_DIR or target, then mediapipe/pose
set -eu

VERSION=0.5.1675469404
ROOT=$(cd "$(dirname "$0")/../../../.." && pwd)
FOLDER=${1:-${CARGO_TARGET_DIR:-$ROOT/target}/mediapipe/pose}
STAGE=$(mktemp -d)
trap 'rm -rf "$STAGE"' EXIT

# npm checks the archive against the registry's digest.
(cd "$STAGE" && npm pack --silent "@mediapipe/pose@$VERSION" >/dev/null && tar -xzf ./*.tgz)

mkdir -p "$FOLDER"
# The heavy model (27 MB) stays out: the page asks for the full one, and for the lite one where the browser is slow.
for file in README.md pose.js pose_web.binarypb pose_landmark_full.tflite pose_landmark_lite.tflite \
    pose_solution_packed_assets.data pose_solution_packed_assets_loader.js \
    pose_solution_simd_wasm_bin.js pose_solution_simd_wasm_bin.wasm pose_solution_simd_wasm_bin.data \
    pose_solution_wasm_bin.js pose_solution_wasm_bin.wasm; do
    cp "$STAGE/package/$file" "$FOLDER/$file"
    chmod 644 "$FOLDER/$file"
done
echo "MediaPipe Pose $VERSION is in $FOLDER"
