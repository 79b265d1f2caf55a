// RUN: decompose
// CHECK: nn.softmax %x
// CHECK-NOT: nn.log_softmax
// CHECK: nn.reduce {{.*}} {kind = "max", dims = [1]}
// CHECK: nn.log
func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %y = nn.softmax %x {axis = 1} : tensor<4x8xf32>
  %z = nn.log_softmax %x {axis = 1} : tensor<4x8xf32>
  func.return %y, %z : tensor<4x8xf32>, tensor<4x8xf32>
}
