// RUN: fuse,precision{to=fp32}
// CHECK: func.func @main(%x: tensor<4x8xf32>
// CHECK-NOT: bf16
// CHECK: func.return
func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x6xf32>) -> tensor<4x6xf32> {
  %p = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %t = nn.reverse %p {dims = [0]} : tensor<4x6xf32>
  %n = nn.negate %t : tensor<4x6xf32>
  %u = nn.reverse %n {dims = [1]} : tensor<4x6xf32>
  func.return %u : tensor<4x6xf32>
}
