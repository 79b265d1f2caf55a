// RUN: recognise
// CHECK: nn.softmax %x {axis = 1
// CHECK-NEXT: func.return
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %t = nn.reduce %x {kind = "max", dims = [1]} : (tensor<4x8xf32>) -> tensor<4xf32>
  %ts = nn.broadcast_in_dim %t {dims = [0], shape = [4, 8]} : (tensor<4xf32>) -> tensor<4x8xf32>
  %d = nn.subtract %x, %ts : tensor<4x8xf32>
  %e = nn.exponential %d : tensor<4x8xf32>
  %r = nn.reduce %e {kind = "sum", dims = [1]} : (tensor<4x8xf32>) -> tensor<4xf32>
  %one = nn.constant {value = dense<1.0> : tensor<4xf32>} : tensor<4xf32>
  %i = nn.divide %one, %r : tensor<4xf32>
  %s = nn.broadcast_in_dim %i {dims = [0], shape = [4, 8]} : (tensor<4xf32>) -> tensor<4x8xf32>
  %y = nn.multiply %s, %e : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}
