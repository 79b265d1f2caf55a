// RUN: tile,allocate,route,select
// TARGET: tests/targets/tiny.toml
// A ring of three: two steps reduce, two gather. One barrier stands in front; thread 0 adds what
// arrives and lets thread 1 send it on; what is gathered thread 1 sends on by itself.
#part = #mesh.layout<FP32, grid 2 x 3, [3 by col step 1, 16]>
#full = #mesh.layout<FP32, grid 2 x 3, [16]>
func.func @main(%x: tensor<3x16xf32, #part>) -> tensor<16xf32, #full> {
  %y = mesh.all_reduce %x {kind = "max", algorithm = "ring", loc = "it"} : (tensor<3x16xf32, #part>) -> tensor<16xf32, #full>
  func.return %y : tensor<16xf32, #full>
}
// CHECK: disa.thread 0
// CHECK: disa.post s0, 1
// CHECK: disa.waitx [[RED:s[0-9]+]]
// CHECK: disa.call @combine_max_FP32
// CHECK: disa.post [[GO:s[0-9]+]], 1
// CHECK: disa.waitx [[RED]]
// CHECK: disa.call @combine_max_FP32
// CHECK: disa.post [[GO]], 1
// CHECK: disa.wait [[DONE:s[0-9]+]], 1
// CHECK: disa.halt
// CHECK: disa.thread 1
// CHECK: disa.wait s0, 1
// CHECK-NEXT: disa.rbar 0
// CHECK-NEXT: disa.push 0
// CHECK-NEXT: disa.wait [[GO]], 1
// CHECK-NEXT: disa.push 1
// CHECK-NEXT: disa.wait [[GO]], 1
// CHECK-NEXT: disa.push 2
// CHECK: disa.waitx [[GATHER:s[0-9]+]]
// CHECK-NEXT: disa.push 3
// CHECK: disa.waitx [[GATHER]]
// CHECK-NEXT: disa.post [[DONE]], 1
// CHECK-NEXT: disa.halt
// CHECK: disa.kernel @combine_max_FP32
// CHECK: disa.vmax
