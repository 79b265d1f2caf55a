// RUN: allocate,route
// TARGET: tests/targets/tiny.toml
// RESOURCE: w 6x16 random 1
// RESOURCE: v 2x16 random 2
// SEGMENT: s 0>0 bytes 64 src 128 dst 0
// SEGMENT: s 4>4 bytes 64 src 64 dst 0
// SEGMENT: t 5>5 bytes 32 src 32 dst 0
// Each node loads its own part, and only its own semaphore rises; both of list 3 are one row. What is loaded lies one behind the
// other in DRAM: 384 B of w, then v.
tile.program @main grid [2, 3] {
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [16]> : memref<16xf32>
  tile.exchange 3 load "w" to %y by "s" bytes 128 cycles 0 : to memref<16xf32>
  %z = tile.alloc "z" layout #mesh.layout<FP32, grid 2 x 3, [16]> : memref<16xf32>
  tile.exchange 4 load "v" to %z by "t" bytes 32 cycles 0 : to memref<16xf32>
  tile.output %y to "y" "float32" [16] : memref<16xf32>
  tile.output %z to "z" "float32" [16] : memref<16xf32>
}
// CHECK: tile.exchange 3 load "w" {{.*}}dram = 0 :
// CHECK: tile.exchange 4 load "v" {{.*}}dram = 384 :
// CHECK: lists: list 3 cls 0 node 4 kind 2 peer_cls 0 peer 0 peers 1 peer_stride 1 src 64
// CHECK-SAME: far_sem 255 home_sem [[ONE:[0-9]+]] repeat0 2 node_step0 -4 peer_step0 0 src_step0 64
// CHECK-NEXT: lists: list 4 cls 0 node 5 kind 2 peer_cls 0 peer 0 peers 1 peer_stride 1 src 416
// CHECK-SAME: far_sem 255
// CHECK-NOT: lists:
