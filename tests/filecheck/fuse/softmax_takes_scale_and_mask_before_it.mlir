// RUN: fuse
// CHECK: nn.fused %x, %m
// CHECK: nn.multiply
// CHECK: nn.add
// CHECK: nn.softmax
// CHECK-NEXT: nn.yield
// CHECK-NOT: nn.fused
func.func @main(%x: tensor<4x8xf32>, %m: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %k = nn.constant {value = dense<0.25> : tensor<f32>} : tensor<f32>
  %ks = nn.broadcast_in_dim %k {dims = [], shape = [4, 8]} : (tensor<f32>) -> tensor<4x8xf32>
  %a = nn.multiply %x, %ks : tensor<4x8xf32>
  %b = nn.add %a, %m : tensor<4x8xf32>
  %s = nn.softmax %b {axis = 1} : tensor<4x8xf32>
  func.return %s : tensor<4x8xf32>
}
