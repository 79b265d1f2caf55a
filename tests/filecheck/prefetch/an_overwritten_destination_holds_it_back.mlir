// RUN: prefetch
// TARGET: tests/targets/tiny.toml
// RESOURCE: w 64 random 1
// RESOURCE: segments 0 segments
// The second call still reads b: w may come to it only when that is over.
tile.kernel @copy {
^bb0(%to: memref<64xf32>, %from: memref<64xf32>):
  tile.for level 0 times 4 {
    %a = tile.load %from granules 1 as "FP32" <strides [64, 0, 0, 0, 0, 0]> : memref<64xf32>
    tile.store %a to %to granules 1 as "FP32" <strides [64, 0, 0, 0, 0, 0]> : memref<64xf32>
  }
}
tile.program @main grid [2, 3] {
  %w = tile.alloc "w" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.image %w holds "w" : memref<64xf32>
  %b = tile.alloc "b" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.input %b from "b" "float32" [64] : memref<64xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  %z = tile.alloc "z" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.call @copy(%y, %w) scalars [] : memref<64xf32>, memref<64xf32>
  tile.call @copy(%y, %b) scalars [] : memref<64xf32>, memref<64xf32>
  tile.call @copy(%z, %w) scalars [] : memref<64xf32>, memref<64xf32>
  tile.exchange 0 %w to %b by "segments" bytes 0 cycles 0 : memref<64xf32> to memref<64xf32>
  tile.call @copy(%z, %b) scalars [] : memref<64xf32>, memref<64xf32>
  tile.output %y to "y" "float32" [64] : memref<64xf32>
  tile.output %z to "z" "float32" [64] : memref<64xf32>
}
// CHECK: [[W:%[0-9a-z]+]] = tile.alloc "w"
// CHECK: [[B:%[0-9a-z]+]] = tile.alloc "b"
// CHECK: tile.call @copy([[Y:%[0-9a-z]+]], [[W]])
// CHECK-NEXT: tile.call @copy([[Y]], [[B]])
// CHECK-NEXT: tile.exchange 0 [[W]] to [[B]]
// CHECK-NEXT: tile.call @copy([[Z:%[0-9a-z]+]], [[W]])
// CHECK-NEXT: tile.call @copy([[Z]], [[B]])
