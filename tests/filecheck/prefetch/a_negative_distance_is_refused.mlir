// RUN: prefetch{ahead=-1}
// TARGET: tests/targets/tiny.toml
// error: pass 'prefetch' cannot run a negative number of stages ahead
// error: ahead=-1
// error: 1 is double buffering
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.input %x from "x" "float32" [64] : memref<64xf32>
  tile.output %x to "x" "float32" [64] : memref<64xf32>
}
