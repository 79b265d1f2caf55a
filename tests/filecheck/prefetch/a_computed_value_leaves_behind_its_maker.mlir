// RUN: prefetch
// TARGET: tests/targets/tiny.toml
// RESOURCE: segments 0 segments
// y is sent while x is copied to z; not before the call that makes it.
tile.kernel @copy {
^bb0(%to: memref<64xf32>, %from: memref<64xf32>):
  tile.for level 0 times 4 {
    %a = tile.load %from granules 1 as "FP32" <strides [64, 0, 0, 0, 0, 0]> : memref<64xf32>
    tile.store %a to %to granules 1 as "FP32" <strides [64, 0, 0, 0, 0, 0]> : memref<64xf32>
  }
}
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.input %x from "x" "float32" [64] : memref<64xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.call @copy(%y, %x) scalars [] : memref<64xf32>, memref<64xf32>
  %z = tile.alloc "z" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.call @copy(%z, %x) scalars [] : memref<64xf32>, memref<64xf32>
  %m = tile.alloc "moved" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.exchange 0 %y to %m by "segments" bytes 0 cycles 0 : memref<64xf32> to memref<64xf32>
  tile.call @copy(%z, %m) scalars [] : memref<64xf32>, memref<64xf32>
  tile.output %z to "z" "float32" [64] : memref<64xf32>
}
// CHECK: [[X:%[0-9a-z]+]] = tile.alloc "x"
// CHECK: [[Y:%[0-9a-z]+]] = tile.alloc "y"
// CHECK: tile.call @copy([[Y]], [[X]])
// CHECK-NEXT: tile.alloc "moved"
// CHECK-NEXT: tile.exchange 0 [[Y]]
// CHECK: tile.call @copy([[Z:%[0-9a-z]+]], [[X]])
// CHECK-NEXT: tile.call @copy([[Z]]
