// RUN: allocate,route,select
// TARGET: tests/targets/tiny.toml
// error: kernel 'wide' holds more values at once than there are matrix accumulators
// error: 9 at position
// error: have 8
tile.kernel @wide {
^bb0(%y: memref<16xf32>):
  %m0 = tile.acc_zero
  %m1 = tile.acc_zero
  %m2 = tile.acc_zero
  %m3 = tile.acc_zero
  %m4 = tile.acc_zero
  %m5 = tile.acc_zero
  %m6 = tile.acc_zero
  %m7 = tile.acc_zero
  %m8 = tile.acc_zero
  %v0 = tile.acc_read %m0 part 0
  tile.store %v0 to %y granules 1 as "FP32" <> : memref<16xf32>
  %v1 = tile.acc_read %m1 part 0
  tile.store %v1 to %y granules 1 as "FP32" <> : memref<16xf32>
  %v2 = tile.acc_read %m2 part 0
  tile.store %v2 to %y granules 1 as "FP32" <> : memref<16xf32>
  %v3 = tile.acc_read %m3 part 0
  tile.store %v3 to %y granules 1 as "FP32" <> : memref<16xf32>
  %v4 = tile.acc_read %m4 part 0
  tile.store %v4 to %y granules 1 as "FP32" <> : memref<16xf32>
  %v5 = tile.acc_read %m5 part 0
  tile.store %v5 to %y granules 1 as "FP32" <> : memref<16xf32>
  %v6 = tile.acc_read %m6 part 0
  tile.store %v6 to %y granules 1 as "FP32" <> : memref<16xf32>
  %v7 = tile.acc_read %m7 part 0
  tile.store %v7 to %y granules 1 as "FP32" <> : memref<16xf32>
  %v8 = tile.acc_read %m8 part 0
  tile.store %v8 to %y granules 1 as "FP32" <> : memref<16xf32>
}
tile.program @main grid [2, 3] {
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [16]> : memref<16xf32>
  tile.call @wide(%y) scalars [] : memref<16xf32>
  tile.output %y to "y" "float32" [16] : memref<16xf32>
}
