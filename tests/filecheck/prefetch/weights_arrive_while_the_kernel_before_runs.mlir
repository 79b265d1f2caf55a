// RUN: prefetch
// TARGET: tests/targets/tiny.toml
// RESOURCE: w1 64 random 1
// RESOURCE: w2 64 random 2
// RESOURCE: w3 64 random 3
// RESOURCE: segments 0 segments
// w2 is brought while the kernel that uses w1 runs, w3 while the next does: two buffers, not three.
// An exchange takes its destination and the image it reads along.
tile.kernel @add {
^bb0(%to: memref<64xf32>, %from: memref<64xf32>):
  tile.for level 0 times 4 {
    %a = tile.load %from granules 1 as "FP32" <strides [64, 0, 0, 0, 0, 0]> : memref<64xf32>
    tile.store %a to %to granules 1 as "FP32" <strides [64, 0, 0, 0, 0, 0]> : memref<64xf32>
  }
}
tile.program @main grid [2, 3] {
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  %w1 = tile.alloc "w1" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.image %w1 holds "w1" : memref<64xf32>
  %b1 = tile.alloc "b1" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.exchange 0 %w1 to %b1 by "segments" bytes 0 cycles 0 : memref<64xf32> to memref<64xf32>
  tile.call @add(%y, %b1) scalars [] : memref<64xf32>, memref<64xf32>
  %w2 = tile.alloc "w2" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.image %w2 holds "w2" : memref<64xf32>
  %b2 = tile.alloc "b2" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.exchange 1 %w2 to %b2 by "segments" bytes 0 cycles 0 : memref<64xf32> to memref<64xf32>
  tile.call @add(%y, %b2) scalars [] : memref<64xf32>, memref<64xf32>
  %w3 = tile.alloc "w3" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.image %w3 holds "w3" : memref<64xf32>
  %b3 = tile.alloc "b3" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.exchange 2 %w3 to %b3 by "segments" bytes 0 cycles 0 : memref<64xf32> to memref<64xf32>
  tile.call @add(%y, %b3) scalars [] : memref<64xf32>, memref<64xf32>
  tile.output %y to "y" "float32" [64] : memref<64xf32>
}
// CHECK: tile.exchange 0 {{.*}} to [[FIRST:%[0-9a-z]+]]
// CHECK: tile.image {{.*}} holds "w2"
// CHECK-NOT: tile.call
// CHECK: tile.exchange 1 {{.*}} to [[SECOND:%[0-9a-z]+]]
// CHECK-NEXT: tile.call @add({{.*}}, [[FIRST]])
// CHECK-NOT: tile.call
// CHECK: tile.exchange 2 {{.*}} to [[THIRD:%[0-9a-z]+]]
// CHECK-NEXT: tile.call @add({{.*}}, [[SECOND]])
// CHECK-NEXT: tile.call @add({{.*}}, [[THIRD]])
