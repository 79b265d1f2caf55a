// RUN: route
// TARGET: tests/targets/tiny.toml
// SEGMENT: s 0>1 bytes 32 dst 64 count0 6 dst_stride0 32
// error: a segment reaches outside its destination buffer
// error: node 'Transpose_2'
// error: bytes 64..256 of 192
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [64]> address 0 : memref<64xf32>
  tile.input %x from "x" "float32" [64] : memref<64xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [48]> address 256 : memref<48xf32>
  tile.exchange 0 %x to %y by "s" bytes 192 cycles 0 {loc = "node 'Transpose_2'"} : memref<64xf32> to memref<48xf32>
  tile.output %y to "y" "float32" [48] : memref<48xf32>
}
