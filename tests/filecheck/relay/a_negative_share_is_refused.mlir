// RUN: relay{worth=-0.5}
// TARGET: tests/targets/tiny.toml
// error: pass 'relay' takes a share of the cycles of pushes
// error: worth=-0.5
// error: 0 relays nothing
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.input %x from "x" "float32" [64] : memref<64xf32>
  tile.output %x to "x" "float32" [64] : memref<64xf32>
}
