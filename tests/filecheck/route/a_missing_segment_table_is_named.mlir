// RUN: route
// TARGET: tests/targets/tiny.toml
// error: there is no segment table 'lost'
// error: node 'Reshape_3'
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [64]> address 0 : memref<64xf32>
  tile.input %x from "x" "float32" [64] : memref<64xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [64]> address 256 : memref<64xf32>
  tile.exchange 0 %x to %y by "lost" bytes 0 cycles 0 {loc = "node 'Reshape_3'"} : memref<64xf32> to memref<64xf32>
  tile.output %y to "y" "float32" [64] : memref<64xf32>
}
